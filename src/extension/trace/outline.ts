/** The outline of a trace's text: steps, and a block's latents below it. */

import * as vscode from 'vscode';
import { plural, t } from '../../base/l10n.ts';
import type { Trace } from '../../trace/schema.ts';
import { describeEnd } from '../../trace/steps.ts';
import { useDocument } from './document.ts';
import { TRACE_SCHEME, type TraceLibrary } from './library.ts';
import { outlineSymbol } from '../window.ts';
import type { TraceLine } from './text.ts';

export class TraceOutline implements vscode.DocumentSymbolProvider {
  private readonly library: TraceLibrary;

  constructor(library: TraceLibrary) {
    this.library = library;
  }

  async provideDocumentSymbols(document: vscode.TextDocument): Promise<vscode.DocumentSymbol[]> {
    const symbols = await useDocument(this.library, document, async ({ lines, open }) =>
      lines.flatMap((line, row) => symbolsOf(line, row, open.trace)),
    );
    return symbols ?? [];
  }
}

export function registerTraceOutline(library: TraceLibrary): vscode.Disposable {
  const provider = new TraceOutline(library);
  return vscode.languages.registerDocumentSymbolProvider({ scheme: TRACE_SCHEME }, provider, {
    label: 'ILVR',
  });
}

function symbolsOf(
  { step, number, text, latents }: TraceLine,
  row: number,
  { model }: Trace,
): vscode.DocumentSymbol[] {
  if (step === undefined) return [];
  const range = new vscode.Range(row, 0, row, text.length);
  if (step.kind === 'text') {
    const name = `${number}  ${step.text.trim()}`;
    return [outlineSymbol({ name, detail: '', kind: vscode.SymbolKind.String }, range)];
  }
  const count = plural(step.block.latents, '{0} latent', '{0} latents');
  const detail = `${count}, ${describeEnd(step.block.ended, model)}`;
  const name = `${number}  ${t('block {0}', step.block.index + 1)}`;
  const symbol = outlineSymbol({ name, detail, kind: vscode.SymbolKind.Array }, range);
  symbol.children = latents.map(({ latent, start, end }) => {
    const at = new vscode.Range(row, start, row, end);
    const mass = text.slice(start, end).split(':')[1] ?? '';
    const own = t('latent {0}', latent.index + 1);
    return outlineSymbol({ name: own, detail: mass, kind: vscode.SymbolKind.Number }, at);
  });
  return [symbol];
}
