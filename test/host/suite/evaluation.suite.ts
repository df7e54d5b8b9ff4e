/** Claims about samples files: the table evaluates in the background, goes on, agrees with the results, opens runs. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import * as vscode from 'vscode';
import { USUAL } from '../../../src/evaluation/fed.ts';
import { paperTable, writeTable } from '../../../src/evaluation/paperTable.ts';
import { passPath, readResults } from '../../../src/evaluation/results.ts';
import type { EvaluateOutcome } from '../../../src/extension/evaluation/command.ts';
import { answerText } from '../../../src/trace/steps.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import { file, inspector, RUN_MS, writeText } from './inspector.ts';

function evaluate(passes: 'own' | 'all'): Thenable<EvaluateOutcome> {
  const options = { passes, limit: 2, settings: { device: 'cpu' } };
  return vscode.commands.executeCommand('ilvr.evaluate', file('samples.jsonl'), options);
}

export function suite(claim: DeclareClaim): void {
  claim(
    'a samples file is evaluated in the background, goes on with what is there, and opens any run',
    async () => {
      const own = await evaluate('own');
      assert.equal(own.finished, true);
      const ownFile = passPath(own.results, 'own');
      const before = readFileSync(ownFile, 'utf8');
      assert.equal(before.trimEnd().split('\n').length, 3);

      const all = await evaluate('all');
      assert.deepEqual(all, own);
      assert.equal(readFileSync(ownFile, 'utf8'), before, 'what was done is not done again');
      const passes = await Promise.all(
        USUAL.map(async (fed) => ({
          fed,
          results: [...(await readResults(passPath(all.results, fed))).results.values()],
        })),
      );
      const table = (await inspector()).samplesTable(file('samples.jsonl'));
      assert.ok(table);
      await eventually('the figures of all passes', () => table.state().evaluation?.done === 10, RUN_MS);
      for (const form of ['markdown', 'latex', 'csv'] as const)
        assert.equal(table.figures(form), writeTable(paperTable(passes), form));
      assert.equal(table.state().evaluation?.running, false);

      const out = file('report.html').fsPath;
      const page = await table.writeReport(2, out, { device: 'cpu' });
      assert.equal(page, out);
      assert.match(readFileSync(out, 'utf8'), /right on 2 of 2 = 100\.0 %/);
      assert.equal(readFileSync(ownFile, 'utf8'), before, 'a report goes on with the results that are there');

      const run = await table.openRun(2);
      assert.ok(run);
      const trace = await (await inspector()).traceOf(run);
      assert.equal(answerText(trace), passes[0]!.results[1]!.text);
      assert.equal(await table.openRun(2), run, 'a row that was run is shown again');
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim('a file that holds no samples says so in its table', async () => {
    const uri = await writeText('none.jsonl', '{"a": 1}\nnonsense\n');
    await vscode.commands.executeCommand('ilvr.evaluate', uri);
    const table = (await inspector()).samplesTable(uri);
    await eventually('its end', () => table?.state().reading === false);
    const state = table!.state();
    assert.deepEqual([state.samples, state.unusable], [2, 2]);
    assert.match(state.problem ?? '', /not a sample in the official ILVR format.*none\.jsonl:1/);
    assert.equal(existsSync(uri.fsPath.replace('.jsonl', '.maze.results.own.jsonl')), false);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });
}
