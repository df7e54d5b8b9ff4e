/** Hovers in a trace's text. */

import * as vscode from 'vscode';
import type { Drawer } from '../draw/drawer.ts';
import { hoverOf } from '../window.ts';
import { useDocument, type ShownTrace } from './document.ts';
import { hoverParts, latentAt } from './hoverParts.ts';
import { TRACE_SCHEME, type TraceLibrary } from './library.ts';

export class TraceHover implements vscode.HoverProvider {
  private readonly library: TraceLibrary;
  private readonly drawer: Drawer;

  constructor(library: TraceLibrary, drawer: Drawer) {
    this.library = library;
    this.drawer = drawer;
  }

  async provideHover(
    document: vscode.TextDocument,
    position: vscode.Position,
    token: vscode.CancellationToken,
  ): Promise<vscode.Hover | undefined> {
    return useDocument(this.library, document, (shown) => this.hover(shown, document, position, token));
  }

  private async hover(
    { ref, open, lines }: ShownTrace,
    document: vscode.TextDocument,
    position: vscode.Position,
    token: vscode.CancellationToken,
  ): Promise<vscode.Hover | undefined> {
    const line = lines[position.line];
    if (line === undefined || line.text === '') return undefined;
    const target = 'run' in ref ? { run: ref.run } : { file: ref.file.toString() };
    const draw: Drawer['draw'] = async (drawing) => {
      // The pointer has moved on: its next hover should not wait for this one's pictures.
      if (token.isCancellationRequested) throw new vscode.CancellationError();
      return this.drawer.draw(drawing);
    };
    const parts = await hoverParts({ open, target, draw }, line, position.character);
    const span = latentAt(line, position.character);
    const whole = line.step === undefined ? undefined : document.lineAt(position.line).range;
    const range = span && new vscode.Range(position.line, span.start, position.line, span.end);
    return hoverOf(parts, range ?? whole);
  }
}

/** Registers the hover; it needs neither an engine nor a trusted workspace. */
export function registerTraceHover(library: TraceLibrary, drawer: Drawer): vscode.Disposable {
  return vscode.languages.registerHoverProvider({ scheme: TRACE_SCHEME }, new TraceHover(library, drawer));
}
