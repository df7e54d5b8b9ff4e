/** Claims about runs that go on from a point of another: from code, their tree, and once more. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { RunResult } from '../../../src/extension/api.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import { file, inspector, reason, RUN_MS } from './inspector.ts';

async function branch(run: string, options: object): Promise<string> {
  const { runId, status } = await vscode.commands.executeCommand<RunResult>('ilvr.branch', run, options);
  assert.equal(status, 'complete');
  return runId;
}

export function suite(claim: DeclareClaim): void {
  claim(
    'a run goes on from a block with other words, a region hidden or latents zeroed, and reads its prompt not again',
    async () => {
      const api = await inspector();
      const { runId } = await reason(file('map-05.png'));
      const parent = await api.traceOf(runId);
      const at = parent.blocks[1]!.startToken;
      const id = await branch(runId, { at, text: 'down' });
      const made = await api.traceOf(id);
      assert.deepEqual(made.branch?.parent, runId);
      assert.equal(made.tokens[at]?.text, 'down');
      assert.deepEqual(made.tokens.slice(0, at), parent.tokens.slice(0, at));
      assert.ok(made.timings.some(({ name }) => /^read prompt, \d+ tokens of the parent, reused/.test(name)));
      const picture = parent.pictures[0]!.id;
      const hidden = await branch(id, { at, mask: { picture, patches: [0, 1] }, latents: 'zero' });
      assert.deepEqual((await api.traceOf(hidden)).branch?.masks, [{ from: at, picture, patches: [0, 1] }]);
      const lines = await api.runLines();
      const place = (run: string): number => lines.findIndex((line) => line.id === run);
      // Each below what it branched from.
      assert.deepEqual([place(id) - place(runId), place(hidden) - place(id)], [1, 1]);
      assert.match(String(lines[place(id)]?.description), /from token \d+: “down”/);
      await assert.rejects(
        branch(runId, { at, mask: { picture, patches: [9999] } }),
        /not within the picture/,
      );
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'run once more, a branch comes to the same tokens',
    async () => {
      const api = await inspector();
      const { runId } = await reason(file('map-01.png'));
      const at = (await api.traceOf(runId)).blocks[0]!.startToken;
      const first = await branch(runId, { at, temperature: 1.5, seed: 7 });
      const again = await vscode.commands.executeCommand<RunResult>('ilvr.runAgain', first);
      const [one, two] = [await api.traceOf(first), await api.traceOf(again.runId)];
      assert.notEqual(one.id, two.id);
      assert.deepEqual(
        two.tokens.map(({ id }) => id),
        one.tokens.map(({ id }) => id),
      );
      assert.deepEqual(two.branch, one.branch);
      await eventually('the panel', async () => (await inspector()).panelRuns().length > 0);
    },
    { timeoutMs: 3 * RUN_MS },
  );
}
