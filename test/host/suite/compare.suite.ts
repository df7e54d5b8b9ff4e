/** Claims about two runs beside each other, from the view, the explorer and code. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { ComparisonResult } from '../../../src/extension/comparison/panels.ts';
import { smallRun } from '../../fixtures/smallTrace.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import {
  file,
  inspector,
  longRun,
  reason,
  reasonUntilFirstLatent,
  RUN_MS,
  writeTraceFile,
} from './inspector.ts';

const COMPARE = 'ilvr.compare';

async function compared(a: unknown, b: unknown, options = {}): Promise<ComparisonResult> {
  return vscode.commands.executeCommand<ComparisonResult>(COMPARE, a, b, options);
}

/** Tabs of pages that compare, by their labels. */
function pages(): string[] {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .filter(
      ({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith('ilvr.comparison'),
    )
    .map(({ label }) => label);
}

export function suite(claim: DeclareClaim): void {
  claim(
    'two runs are compared: where they part, cosines of latents, KL by their model, which is kept',
    async () => {
      const own = await reason(file('map-01.png'));
      const other = await reason(file('map-05.png'));
      const { comparison, latents, divergence } = await compared(own.runId, other.runId, {
        divergence: true,
      });
      assert.ok(comparison.first, 'the answers differ');
      assert.deepEqual(
        comparison.differences.map(({ what }) => what),
        ['pictures'],
      );
      assert.equal(latents?.length, comparison.blocks.length);
      assert.ok(
        latents?.every(({ cosines }) => cosines.length === 8 && cosines.every((cosine) => cosine! < 1)),
      );
      assert.equal(divergence?.words.length, comparison.words.length);
      assert.ok(divergence?.words.every(({ kl }) => kl >= 0) && divergence.words.some(({ kl }) => kl > 0));
      const trace = await (await inspector()).traceOf(own.runId);
      assert.ok(
        trace.analyses?.some(({ method, other: id }) => method === 'divergence' && id === other.runId),
      );
      // The window tells of a new tab when it has time.
      await eventually('its page', () => pages().join() === 'map-01 and map-05');
      await assert.rejects(compared(own.runId, own.runId), /not compared with itself/);
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'a run that still goes on is not compared, on either side; once it was stopped it is',
    async () => {
      const image = file('map-01.png');
      const options = await longRun(image);
      const [kept] = await (await inspector()).runs();
      assert.ok(kept);
      const { runId, done } = await reasonUntilFirstLatent(image, options);
      const refused = /A run that still goes on cannot be compared.*Wait until it has ended, or stop it/;
      await assert.rejects(compared(kept.id, runId), refused);
      await assert.rejects(compared(runId, kept.id), refused);
      await vscode.commands.executeCommand('ilvr.stop');
      assert.equal((await done).status, 'cancelled');
      const { comparison } = await compared(kept.id, runId);
      assert.ok(comparison.blocks.length > 0);
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    },
    { timeoutMs: 2 * RUN_MS },
  );

  claim('two trace files are compared from the explorer, without a model', async () => {
    const [one, two] = [smallRun(), smallRun()];
    two.trace.id = 'another';
    two.trace.tokens[0]!.id += 1;
    two.trace.tokens[0]!.text = 'Other';
    const files = [
      await writeTraceFile('one.ilvr.json', one),
      await writeTraceFile('two.ilvr.json', two),
    ] as const;
    // As the explorer calls it: the file that was clicked, then all that are selected.
    await vscode.commands.executeCommand(COMPARE, files[0], [...files]);
    await eventually('the page', () => pages().includes('one and two'));
    const { comparison } = await compared(...files);
    assert.deepEqual(comparison.first, { a: 0, b: 0 });
  });

  claim(
    'twice the same trace is not compared, whatever its file is called',
    async () => {
      const { runId } = await reason(file('map-01.png'));
      const copy = file('copy.ilvr.json');
      await vscode.commands.executeCommand('ilvr.exportTrace', runId, copy);
      await assert.rejects(compared(copy, copy), /not compared with itself/);
      await assert.rejects(compared(runId, copy), /not compared with itself: .*found twice the same/);
    },
    { timeoutMs: 2 * RUN_MS },
  );
}
