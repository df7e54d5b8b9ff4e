/** Claims about reading traces: editor, text, hovers, outline, export. No engine takes part. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as vscode from 'vscode';
import { describeEnd } from '../../../src/trace/steps.ts';
import { exportTrace } from '../../../src/traceFile/export.ts';
import { openTrace } from '../../../src/traceFile/openTrace.ts';
import { fromFile, oneFile } from '../../fixtures/reopened.ts';
import { smallRun, smallTrace } from '../../fixtures/smallTrace.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import {
  blockLine,
  extension,
  file,
  hoverAt,
  inspector,
  openText,
  writeText,
  writeTraceFile,
} from './inspector.ts';

function customTabs(): vscode.TabInputCustom[] {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs.map(({ input }) => input))
    .filter((input) => input instanceof vscode.TabInputCustom);
}

/** Command lines of engines that are children of this extension host, on a system that tells. */
function engineProcesses(): string[] {
  if (process.platform !== 'linux') return [];
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return parent === String(process.pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
      } catch {
        // Gone meanwhile.
        return [];
      }
    });
  return lines.filter((line) => line.includes('engine.cjs'));
}

let written: Promise<vscode.Uri> | undefined;

/** Written once: its editor stays open, and could read the file while a later claim writes it again. */
function smallTraceFile(): Promise<vscode.Uri> {
  written ??= writeTraceFile('small.ilvr.json', smallRun());
  return written;
}

export function suite(claim: DeclareClaim): void {
  claim('no engine is left from what ran before', async () => {
    const api = await inspector();
    const pid = api.enginePid();
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await eventually('its end', () => api.enginePid() === undefined);
  });

  claim('a trace file opens in the trace editor by default', async () => {
    const uri = await smallTraceFile();
    await vscode.commands.executeCommand('vscode.open', uri);
    await eventually('the editor', () =>
      customTabs().some(({ viewType, uri: shown }) => viewType === 'ilvr.trace' && shown.path === uri.path),
    );
  });

  claim('a trace as text has one line per step, and blocks tell their latents and end', async () => {
    const trace = smallTrace();
    const document = await openText(await smallTraceFile());
    // A file system's documents come back after a reload of the window; nobody can write into this one.
    assert.equal(vscode.workspace.fs.isWritableFileSystem('ilvr-trace'), false);
    const bytes = await vscode.workspace.fs.readFile(document.uri);
    assert.equal(new TextDecoder().decode(bytes), document.getText());
    assert.equal(document.languageId, 'ilvr-trace');
    for (const block of trace.blocks) {
      const { text } = document.lineAt(blockLine(document, block.index));
      assert.match(
        text,
        new RegExp(`${block.latents} latents · ${describeEnd(block.ended, trace.model)} · mass on image \\d`),
      );
    }
  });

  claim('a latent has a hover with pictures and figures, each part within 100,000 characters', async () => {
    const document = await openText(await smallTraceFile());
    const line = blockLine(document, 0);
    const column = document.lineAt(line).text.lastIndexOf('1:');
    const parts = await hoverAt(document, new vscode.Position(line, column));
    assert.ok(
      parts.some((part) => part.includes('](data:image/png;base64,')),
      parts.join('\n'),
    );
    assert.ok(parts.some((part) => /attention probability\*\*: peak .* mass .* entropy/.test(part)));
    assert.ok(parts.some((part) => part.includes('not what caused the answer')));
    for (const part of parts) assert.ok(part.length < 100_000, `${part.length} characters`);
  });

  claim('a block has a hover with all its maps, a text step one with its tokens', async () => {
    const document = await openText(await smallTraceFile());
    const line = blockLine(document, 0);
    const block = await hoverAt(document, new vscode.Position(line, 6));
    assert.ok(block.some((part) => part.includes('](data:image/png;base64,')));
    const step = await hoverAt(document, new vscode.Position(line - 1, 6));
    assert.match(step.join('\n'), /\*\*Step 1\*\* · \d+ tokens/);
  });

  claim('the lines about the run have hovers with its pictures', async () => {
    const trace = smallTrace();
    const document = await openText(await smallTraceFile());
    const parts = await hoverAt(document, new vscode.Position(0, 3));
    assert.equal(parts.length, trace.pictures.length);
    assert.ok(parts.every((part) => part.includes('](data:image/png;base64,')));
  });

  claim('the outline lists steps, and latents below their block', async () => {
    const trace = smallTrace();
    const document = await openText(await smallTraceFile());
    const symbols = await vscode.commands.executeCommand<vscode.DocumentSymbol[]>(
      'vscode.executeDocumentSymbolProvider',
      document.uri,
    );
    const blocks = symbols.filter(({ name }) => name.includes('block'));
    assert.equal(blocks.length, trace.blocks.length);
    const latents = blocks.flatMap(({ children }) => children);
    assert.equal(latents.length, trace.latents.length);
  });

  claim('an exported trace reads back equal', async () => {
    const trace = smallTrace();
    const source = await smallTraceFile();
    const target = file('exported.ilvr.json');
    await vscode.commands.executeCommand('ilvr.exportTrace', source, target);
    const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(target));
    assert.deepEqual((await fromFile(text, 'exported')).trace, trace);
    const names = (await vscode.workspace.fs.readDirectory(file('.'))).map(([name]) => name);
    assert.deepEqual(
      names.filter((name) => /\.part(ial)?$/.test(name)),
      [],
    );
  });

  claim('an export as NPZ and a large file that comes back from its thread', async () => {
    const source = await smallTraceFile();
    const npz = file('exported.npz');
    await vscode.commands.executeCommand('ilvr.exportTrace', source, npz);
    assert.equal(new TextDecoder().decode((await vscode.workspace.fs.readFile(npz)).subarray(0, 2)), 'PK');
    const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(source));
    const large = await writeText('large.ilvr.json', text + ' '.repeat(2 ** 20));
    assert.equal((await openText(large)).lineCount, (await openText(source)).lineCount);
    const at = new vscode.Position(blockLine(await openText(large), 0), 6);
    const parts = await hoverAt(await openText(large), at);
    assert.ok(parts.some((part) => part.includes('](data:image/png;base64,')));
  });

  claim('a trace in two files opens, and without its arrays shows its text and says why', async () => {
    const source = await smallTraceFile();
    const api = await inspector();
    const pair = file('pair.ilvr.json');
    await exportTrace(await openTrace(source.fsPath), pair.fsPath, { form: 'pair' });
    const document = await openText(pair);
    const at = new vscode.Position(blockLine(document, 0), 6);
    assert.ok((await hoverAt(document, at)).some((part) => part.includes('](data:image/png;base64,')));
    const alone = file('alone.ilvr.json');
    const manifest = new TextDecoder().decode(await vscode.workspace.fs.readFile(pair));
    await writeText('alone.ilvr.json', manifest.replace('pair.ilvr.bin', 'nowhere.ilvr.bin'));
    const text = await openText(alone);
    assert.equal(text.lineCount, document.lineCount);
    const message = await eventually('its message', () =>
      api.lastError()?.includes('nowhere.ilvr.bin') === true ? api.lastError() : undefined,
    );
    assert.match(message, /^The arrays of this trace cannot be opened/);
    const parts = await hoverAt(text, at);
    assert.ok(parts.some((part) => part.includes('arrays of this trace cannot be opened')));
  });

  claim('a changed file is shown anew', async () => {
    const run = smallRun();
    const uri = await writeTraceFile('changing.ilvr.json', run);
    await vscode.commands.executeCommand('vscode.openWith', uri, 'ilvr.trace');
    const document = await openText(uri);
    run.trace.question = 'Another question?';
    await writeTraceFile('changing.ilvr.json', run);
    await eventually('the new text', () => document.getText().includes('Another question?'));
  });

  claim('a truncated trace is refused, and the message says what is wrong', async () => {
    const text = await oneFile(smallRun());
    const uri = await writeText('truncated.ilvr.json', text.slice(0, text.length / 2));
    // VS Code shows the refusal in the editor's place; whether the call rejects is its own affair.
    await vscode.commands
      .executeCommand('vscode.openWith', uri, 'ilvr.trace')
      .then(undefined, () => undefined);
    const api = await inspector();
    const message = await eventually('its message', () =>
      api.lastError()?.includes('truncated.ilvr.json') === true ? api.lastError() : undefined,
    );
    assert.match(message, /^This file is not a complete ILVR trace: .*Unterminated string/);
  });

  claim('a trace whose pictures no one can draw is read, with the reason in the hover', async () => {
    const run = smallRun();
    Object.assign(run.trace.pictures[0]!, { width: 1, height: 4_000_000 });
    const document = await openText(await writeTraceFile('tall.ilvr.json', run));
    const line = blockLine(document, 0);
    const parts = await hoverAt(document, new vscode.Position(line, 6));
    assert.ok(parts.some((part) => part.includes('cannot be shown')));
    assert.ok(
      parts.some((part) => part.includes('](data:image/png;base64,')),
      'the other picture is shown',
    );
  });

  for (const [name, shown] of [
    ['tall.ilvr.json', /cannot be shown/],
    ['lines.ilvr.json', /attention probability/],
  ] as const) {
    const handed = vscode.Uri.file(`${extension().extensionPath}/../shared/data/hostile/${name}`);
    if (!existsSync(handed.fsPath)) continue;
    claim(`the handed ${name} opens, and every line of its text has its own hover`, async () => {
      const document = await openText(handed);
      const lines = document.getText().split('\n');
      assert.equal(document.lineCount, lines.length);
      for (const block of [0, 1]) {
        const line = blockLine(document, block);
        const parts = await hoverAt(document, new vscode.Position(line, 6));
        assert.match(parts[0]!, new RegExp(`block ${block + 1}\\*\\*: \\d+ latents`));
        assert.ok(parts.some((part) => shown.test(part)));
      }
    });
  }

  const link = vscode.Uri.file(
    `${extension().extensionPath}/../shared/data/hostile/notification-command-link.ilvr.json`,
  );
  if (existsSync(link.fsPath)) {
    claim(
      'the handed trace with a command link in a name is refused with its text, not its link',
      async () => {
        await vscode.commands
          .executeCommand('vscode.openWith', link, 'ilvr.trace')
          .then(undefined, () => undefined);
        const api = await inspector();
        const message = await eventually('its message', () =>
          api.lastError()?.includes('Repair it') === true ? api.lastError() : undefined,
        );
        assert.match(message, /\[Repair it\] \(command:runCommands/);
        assert.doesNotMatch(message, /\]\(/);
      },
    );
  }

  claim('a JSON file of another kind is refused by name', async () => {
    const uri = await writeText('other.ilvr.json', '{"format": "something"}');
    const document = await vscode.commands
      .executeCommand('ilvr.exportTrace', uri, file('never.ilvr.json'))
      .then(() => '', String);
    assert.match(document, /not an ILVR trace.*"something"/);
  });

  claim('reading traces started no engine', async () => {
    assert.equal((await inspector()).enginePid(), undefined);
    assert.deepEqual(engineProcesses(), []);
  });
}
