/** Claims about a window in German; what its pages say is claimed in test/webview/german.test.ts. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { smallRun } from '../../fixtures/smallTrace.ts';
import type { DeclareClaim } from './claims.ts';
import { extension, hoverAt, inspector, openText, writeTraceFile } from './inspector.ts';

export function suite(claim: DeclareClaim): void {
  claim('the window is German, and the extension has its sentences', async () => {
    await inspector();
    assert.equal(vscode.env.language, 'de');
    assert.equal(vscode.l10n.t('Show log'), 'Protokoll anzeigen');
  });

  claim('commands have German titles', () => {
    const { contributes } = extension().packageJSON as {
      // VS Code keeps the English title beside a translated one, for its palette's search.
      contributes: { commands: { command: string; title: string | { value: string; original: string } }[] };
    };
    const titles = new Map(contributes.commands.map(({ command, title }) => [command, title]));
    assert.deepEqual(titles.get('ilvr.reason'), {
      value: 'Frage zu einem Bild stellen',
      original: 'Reason about image',
    });
    for (const [command, title] of titles) {
      // A plain text is the same in both languages.
      const shown = typeof title === 'string' ? title : title.value;
      assert.ok(!shown.startsWith('%'), command);
    }
  });

  claim('a trace as text and its hovers are German, and its numbers have a decimal point', async () => {
    const document = await openText(await writeTraceFile('german.ilvr.json', smallRun()));
    const lines = document.getText().split('\n');
    const line = lines.findIndex((text) => text.includes('◆'));
    const text = lines[line] ?? '';
    assert.match(text, /◆ Block 1 · \d+ Latents · .+ · Masse auf dem Bild 0\.\d\d/);
    const hover = (await hoverAt(document, new vscode.Position(line, text.indexOf('Block')))).join('\n');
    assert.match(hover, /Schritt \d+ · Block 1/);
    assert.match(hover, /In der Ansicht zeigen/);
  });

  claim('what is refused stays English: it is looked up and sent to others', async () => {
    const api = await inspector();
    await vscode.commands.executeCommand('ilvr.pauseTraining').then(undefined, () => undefined);
    assert.match(api.lastError() ?? '', /^No training run is open\./);
  });
}
