/**
 * Claims about the tests of latents, in the panels of the four bundled models. Of two the latents are known: in one they carry
 * the answer by construction, in the other nothing that is written can see them. Each test has to tell them apart, in both
 * directions.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { INTERVENTION_KINDS } from '../../../src/analysis/intervention.ts';
import { PICTURE_CHANGES } from '../../../src/analysis/pictureChange.ts';
import type { AnalysisName, AnalysisResult } from '../../../src/analysis/table.ts';
import type { Fed } from '../../../src/evaluation/fed.ts';
import { meansOf } from '../../../src/evaluation/figures.ts';
import { paperTable, writeTable } from '../../../src/evaluation/paperTable.ts';
import { passPath, readResults } from '../../../src/evaluation/results.ts';
import { tellsApart, type Calibration } from '../../../src/evidence/calibration.ts';
import { MOVED, summariesOf, verdictOf } from '../../../src/evidence/causality.ts';
import { withoutPicture } from '../../../src/evidence/faithfulness.ts';
import { conditionsOf, decompositionVerdict, partsOf } from '../../../src/evidence/decomposition.ts';
import { dependenceVerdict } from '../../../src/evidence/dependence.ts';
import type { RunResult } from '../../../src/extension/api.ts';
import type { ComparisonResult } from '../../../src/extension/comparison/panels.ts';
import type { EvaluateOutcome } from '../../../src/extension/evaluation/command.ts';
import { statedAnswer } from '../../../src/trace/answer.ts';
import { generateWorlds } from '../../../src/worlds/generate.ts';
import { knownWorlds } from '../../../src/examples/knownWorlds.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import { bundled, file, inspector, reason, RUN_MS } from './inspector.ts';

const CONTROLS = [
  { name: 'control-carrying', carries: true },
  { name: 'control-bypassed', carries: false },
];

/** Of samples in a table that is stopped: enough that some are left when the first is done. */
const COUNT = 7;

/** A picture, and what is asked of it. */
interface Asked {
  picture: string;
  question: string;
}

/** The other bundled models: what their latents do was measured (their cards), not built in. */
const MEASURED = [
  {
    name: 'maze',
    needed: false,
    asked: async (): Promise<Asked> => ({
      picture: 'map-03.png',
      question: 'Find a safe path to the goal.',
    }),
  },
  { name: 'worlds', needed: true, asked: askAboutWorld },
];

/** A held-out world as the bundled model of worlds knows them, after one move. */
async function askAboutWorld(): Promise<Asked> {
  const { samplesFile } = await generateWorlds(file('worlds').fsPath, knownWorlds(90210, 1, [1]), {
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  const { text_input, image_input } = JSON.parse(readFileSync(samplesFile, 'utf8')) as Record<string, string>;
  return { picture: `worlds/${image_input}`, question: text_input!.replace('<image>', '') };
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

/** Slots, markers and format apart: where the latents carry the answer it rests on the slots, elsewhere it does not. */
function assertDecomposed(result: AnalysisResult<'decomposition'>, carries: boolean): void {
  assert.deepEqual([...conditionsOf(result).keys()], ['dummy', 'markers', 'none']);
  const parts = new Map(partsOf(result)!.map(({ part, answer }) => [part, answer]));
  assert.deepEqual([...parts.keys()], ['slots', 'content', 'markers', 'blocks']);
  for (const part of ['slots', 'content'] as const) {
    const nats = parts.get(part)!;
    assert.ok(carries ? nats >= MOVED : Math.abs(nats) < 1e-6, `${part} add ${nats}`);
  }
  const { sentence } = decompositionVerdict(result);
  const bySlots = /rests on (the )?slots/;
  if (carries) assert.match(sentence, bySlots);
  else assert.doesNotMatch(sentence, bySlots);
}

export function suite(claim: DeclareClaim): void {
  for (const { name, carries } of CONTROLS) {
    claim(
      `the tabs say of ${name} what is known: four tests at once, kept with the run`,
      async () => {
        const api = await inspector();
        const { runId } = await reason(file('map-03.png'), { settings: { model: bundled(name) } });
        const [causality, dependence, faithfulness, decomposition] = await Promise.all([
          analysed(1, runId, 'causality', { variants: ['zero', 'mean'], repeats: 1 }),
          analysed(2, runId, 'dependence', { changes: ['grey'] }),
          analysed(3, runId, 'faithfulness', { points: 2, orders: 3 }),
          analysed(4, runId, 'decomposition', {}),
        ]);
        assert.equal(verdictOf(causality).finding, carries ? 'needed' : 'nothing');
        assert.match(
          dependenceVerdict(dependence).sentence,
          carries ? /words with 1 of 1/ : /words with none of 1/,
        );
        const lost = withoutPicture(faithfulness.latents[0]!.answer);
        assert.ok(carries ? lost < -0.5 : Math.abs(lost) < 1e-6, `log p changed by ${lost}`);
        assertDecomposed(decomposition, carries);
        const kept = (await api.traceOf(runId)).analyses?.map(({ method }) => method);
        assert.deepEqual(kept?.toSorted(), ['causality', 'decomposition', 'dependence', 'faithfulness']);

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

    claim(
      `the table of ${name} that was stopped goes on: chosen replacements, and of each run KL without latents and faithfulness`,
      async () => {
        const samples = file('samples.jsonl');
        const passes: Fed[] = ['own', 'zero', 'noise', 'mean', 'markers'];
        const settings = { device: 'cpu', model: bundled(name) };
        const evaluate = (): Thenable<EvaluateOutcome> =>
          vscode.commands.executeCommand('ilvr.evaluate', samples, {
            passes,
            tests: true,
            limit: COUNT,
            settings,
          });
        const stopped = evaluate();
        const api = await inspector();
        const table = await eventually('the table', () => api.samplesTable(samples));
        // Two may be at work at once, and a sample's tests come last.
        await eventually(
          'the first sample with its tests',
          () => {
            const { evaluation } = table.state();
            return evaluation?.id.includes(name) === true && evaluation.tests !== undefined;
          },
          RUN_MS,
        );
        table.stop();
        const { finished, results } = await stopped;
        assert.equal(finished, false);
        const before = readFileSync(passPath(results, 'own'), 'utf8');

        assert.deepEqual(await evaluate(), { finished: true, results });
        const after = readFileSync(passPath(results, 'own'), 'utf8');
        assert.ok(after.startsWith(before) && after.length > before.length, 'what was done is kept');
        const done = await Promise.all(
          passes.map(async (fed) => ({
            fed,
            results: [...(await readResults(passPath(results, fed))).results.values()],
          })),
        );
        const [own, ...others] = done.map(({ results: rows }) => rows);
        const tests = own!.map((row) => row.tests!);
        assert.equal(tests.length, COUNT);
        for (const { kl, faithfulness } of tests) {
          assert.ok(carries ? kl! >= MOVED : kl! < 1e-6, `KL without latents ${kl}`);
          // The latents that carry the answer look at words alone, so that their maps have no order.
          assert.equal(faithfulness === undefined, carries);
          if (faithfulness === undefined) continue;
          const { value, low, high } = faithfulness;
          assert.ok(low < value && value < high, `faithfulness ${low}, ${value}, ${high}`);
        }
        for (const rows of others)
          for (const [i, { text }] of rows.entries())
            assert.equal(text !== own![i]!.text, carries, `“${text}” for “${own![i]!.text}”`);
        assert.deepEqual(table.state().evaluation?.tests, meansOf(tests));
        assert.equal(table.figures('csv'), writeTable(paperTable(done), 'csv'));
        await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      },
      { timeoutMs: 3 * RUN_MS },
    );
  }

  for (const { name, needed, asked } of MEASURED) {
    claim(
      `the tabs say of ${name} what its card says: its latents are ${needed ? 'needed' : 'not needed, and hand nothing on'}`,
      async () => {
        const { picture, question } = await asked();
        const { runId } = await reason(file(picture), { question, settings: { model: bundled(name) } });
        const [causality, dependence] = await Promise.all([
          analysed(1, runId, 'causality', { variants: ['zero', 'noise', 'markers'], repeats: 1 }),
          analysed(2, runId, 'dependence', { changes: ['mirrored'] }),
        ]);
        assert.equal(verdictOf(causality).finding, needed ? 'needed' : 'nothing');
        assert.deepEqual(
          summariesOf(causality).map(({ moves }) => moves),
          [needed, needed, needed],
        );
        assert.match(
          dependenceVerdict(dependence).sentence,
          needed ? /words with 1 of 1/ : /words with none of 1/,
        );
        await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      },
      { timeoutMs: 2 * RUN_MS },
    );
  }

  claim(
    'the tests are calibrated again: the figures are kept with date and version, and what does not tell the controls apart is not offered',
    async () => {
      const { runId } = await reason(file('map-03.png'), {
        settings: { model: bundled('control-carrying') },
      });
      const panel = (await inspector()).panelAnalyses(runId)!;
      const offered = async (method: AnalysisName) => {
        const { calibration, fields } = await panel.analysis({ run: runId, method });
        const several = fields.flatMap((field) =>
          field.kind === 'several' ? field.options.map(({ value }) => value) : [],
        );
        return { calibration, several };
      };
      const shipped = (await offered('causality')).calibration!;
      for (const wrong of [{ maps: 1 }, { maps: 2, more: 1 }, {}])
        await assert.rejects(
          async () => vscode.commands.executeCommand('ilvr.calibrate', wrong),
          /cannot be calibrated so/,
        );
      const found = await vscode.commands.executeCommand<Calibration>('ilvr.calibrate', { maps: 2 });
      await vscode.commands.executeCommand('workbench.action.closeQuickOpen');
      assert.deepEqual(
        [shipped.maps, found.maps, found.version, found.date],
        [4, 2, shipped.version, new Date().toISOString().slice(0, 10)],
      );
      const [causality, dependence] = [await offered('causality'), await offered('dependence')];
      // Read back from where they are kept.
      assert.deepEqual(causality.calibration, found);
      assert.deepEqual(
        causality.several,
        INTERVENTION_KINDS.filter((kind) => tellsApart(kind, found)),
      );
      assert.deepEqual(
        dependence.several,
        PICTURE_CHANGES.filter((change) => tellsApart(change, found)),
      );
      // Without blocks the words move up, which moves the control that sees no latent too.
      assert.ok(causality.several.includes('zero') && !causality.several.includes('none'));
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
        await cp(bundled('control-carrying'), before, { recursive: true });
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
        await panel.chooseModel(bundled('control-bypassed'));
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
