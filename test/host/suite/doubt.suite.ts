/**
 * Claims about the tests of latents, in the panels of the two models whose latents are known: in one they carry the answer
 * by construction, in the other nothing that is written can see them. Each test has to tell them apart, in both directions.
 */

import assert from 'node:assert/strict';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisName, AnalysisResult } from '../../../src/analysis/table.ts';
import { USUAL } from '../../../src/evaluation/fed.ts';
import { paperTable, writeTable } from '../../../src/evaluation/paperTable.ts';
import { passPath, readResults } from '../../../src/evaluation/results.ts';
import { verdictOf } from '../../../src/evidence/causality.ts';
import { dependenceVerdict } from '../../../src/evidence/dependence.ts';
import type { RunResult } from '../../../src/extension/api.ts';
import type { ComparisonResult } from '../../../src/extension/comparison/panels.ts';
import type { EvaluateOutcome } from '../../../src/extension/evaluation/command.ts';
import { statedAnswer } from '../../../src/trace/answer.ts';
import type { DeclareClaim } from './claims.ts';
import { extension, file, inspector, reason, RUN_MS } from './inspector.ts';

const CONTROLS = [
  { name: 'control-carrying', carries: true },
  { name: 'control-bypassed', carries: false },
];

function folderOf(name: string): string {
  return join(extension().extensionPath, 'models', name);
}

/** Has a run's panel compute an analysis, as its tab does. */
async function analysed<Name extends AnalysisName>(
  id: number,
  run: string,
  method: Name,
  parameters: Record<string, unknown>,
): Promise<AnalysisResult<Name>> {
  const panel = (await inspector()).panelAnalyses(run);
  assert.ok(panel, 'no panel shows the run');
  const { found } = await panel.analyse({ id, run, method, parameters });
  assert.equal(found?.status, 'complete');
  return found.result as AnalysisResult<Name>;
}

export function suite(claim: DeclareClaim): void {
  for (const { name, carries } of CONTROLS) {
    claim(
      `the tabs say of ${name} what is known: three tests at once, kept with the run`,
      async () => {
        const api = await inspector();
        const { runId } = await reason(file('map-03.png'), { settings: { model: folderOf(name) } });
        const [causality, dependence, faithfulness] = await Promise.all([
          analysed(1, runId, 'causality', { variants: ['zero', 'mean'], repeats: 1 }),
          analysed(2, runId, 'dependence', { changes: ['grey'] }),
          analysed(3, runId, 'faithfulness', { points: 2, orders: 3 }),
        ]);
        assert.equal(verdictOf(causality).finding, carries ? 'needed' : 'nothing');
        assert.match(dependenceVerdict(dependence).sentence, carries ? /hand on 1/ : /hand on 0/);
        const lost = faithfulness.latents[0]!.answer.deletion.data.at(-1)!;
        assert.ok(carries ? lost < -0.5 : Math.abs(lost) < 1e-6, `log p changed by ${lost}`);
        const kept = (await api.traceOf(runId)).analyses?.map(({ method }) => method);
        assert.deepEqual(kept?.toSorted(), ['causality', 'dependence', 'faithfulness']);

        const own = await api.traceOf(runId);
        const at = own.blocks[0]!.startToken;
        const branch = await vscode.commands.executeCommand<RunResult>('ilvr.branch', runId, {
          at,
          latents: 'zero',
        });
        const zeroed = await api.traceOf(branch.runId);
        assert.equal(statedAnswer(zeroed) !== statedAnswer(own), carries);
        const { divergence } = await vscode.commands.executeCommand<ComparisonResult>(
          'ilvr.compare',
          runId,
          branch.runId,
          { divergence: true },
        );
        const most = Math.max(...divergence!.words.map(({ kl }) => kl));
        assert.ok(carries ? most > 0.01 : most < 1e-6, `KL up to ${most}`);
        await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      },
      { timeoutMs: 3 * RUN_MS },
    );
  }

  claim(
    'the table of samples gives the figures of the results, and where nothing sees the latents no text changes',
    async () => {
      const samples = file('samples.jsonl');
      const options = {
        passes: 'all',
        limit: 2,
        settings: { device: 'cpu', model: folderOf('control-bypassed') },
      };
      const { results } = await vscode.commands.executeCommand<EvaluateOutcome>(
        'ilvr.evaluate',
        samples,
        options,
      );
      const passes = await Promise.all(
        USUAL.map(async (fed) => ({
          fed,
          results: [...(await readResults(passPath(results, fed))).results.values()],
        })),
      );
      const table = (await inspector()).samplesTable(samples)!;
      assert.equal(table.figures('csv'), writeTable(paperTable(passes), 'csv'));
      const [own, ...others] = passes.map(({ results: rows }) => rows.map(({ text }) => text));
      for (const [i, texts] of others.entries()) assert.deepEqual(texts, own, USUAL[i + 1]);
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'a model that is not where it was is told with the offer to choose it, and what was asked is computed with the one chosen',
    async () => {
      const scratch = await mkdtemp(join(tmpdir(), 'ilvr-moved-'));
      const configuration = vscode.workspace.getConfiguration('ilvr');
      try {
        const [before, after] = [join(scratch, 'before'), join(scratch, 'after')];
        await cp(folderOf('control-carrying'), before, { recursive: true });
        const { runId } = await reason(file('map-03.png'), { settings: { model: before } });
        await rename(before, after);
        const ask = (): Promise<unknown> =>
          analysed(1, runId, 'causality', { variants: ['zero'], repeats: 1 });
        const asked = ask();
        await assert.rejects(asked, (error: Error & { details?: { choose?: string } }) => {
          assert.match(error.message, /folder of a model cannot be opened.*found nothing.*before/);
          assert.equal(error.details?.choose, 'model');
          return true;
        });
        const panel = (await inspector()).panelAnalyses(runId)!;
        await panel.chooseModel(folderOf('control-bypassed'));
        await assert.rejects(ask(), /needs the model that made the run: expected before .*found control-byp/);
        await panel.chooseModel(after);
        await ask();
      } finally {
        await configuration.update('model', undefined, vscode.ConfigurationTarget.Global);
        await rm(scratch, { recursive: true, force: true });
        await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      }
    },
    { timeoutMs: 2 * RUN_MS },
  );
}
