/**
 * Runs every case of a folder of reference answers (layout: README, "Conformance") and says, one line
 * per case, how far off it was. The answers were made by the released code of ILVR and of other families, and by
 * upstream transformers, never by this project. A folder that holds runs of families alone is checked for these alone.
 */

import { basename, join } from 'node:path';
import * as z from 'zod';
import { UserError, messageOf } from '../base/errors.ts';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { parseModelConfig } from '../checkpoint/config.ts';
import { readJson } from '../checkpoint/json.ts';
import { Model } from '../inference/model.ts';
import { baseOf } from '../model/bases/all.ts';
import { CONFIG_FILES } from '../files/modelFolder.ts';
import type { Provider } from '../ort/session.ts';
import { inFormat, type FormatOptions } from '../quantise/inFormat.ts';
import type { WeightFormat } from '../tensor/weightFormat.ts';
import { Answers } from './answers.ts';
import type { Check, Measure, NotRun } from './check.ts';
import { familyChecks, isFamily } from './families.ts';
import { adapterChecks, forwardChecks, generateChecks, type OpenModel } from './inference.ts';
import { nearnessOf, type Nearness } from './nearness.ts';
import { preprocessChecks, scoringChecks, tokenChecks } from './preprocessing.ts';
import { stepChecks, trainingChecks } from './training.ts';

export interface ConformanceOptions {
  dir: string;
  device: Provider;
  /** What forward and generate cases are computed in; float32 if absent. */
  weights?: WeightFormat;
  /** Of quantised weights. */
  packing?: FormatOptions;
  /** Only cases whose name matches this regular expression. */
  filter?: string;
  onCase: (line: string) => void;
}

/**
 * What is missing counts as failed.
 * @returns how many cases passed, failed, and were not run
 * @throws UserError if there are no answers, or none that the filter matches
 */
export async function runConformance(
  options: ConformanceOptions,
): Promise<{ passed: number; failed: number; notRun: number }> {
  const { dir, filter, onCase } = options;
  const answers = new Answers(dir);
  const models = new ModelCache(dir, options);
  const wanted = filterOf(filter);
  const counts = { passed: 0, failed: 0, notRun: 0 };
  try {
    const { weights = 'float32' } = options;
    const near = nearnessOf(weights);
    if (near.told !== undefined)
      onCase(`The answers are of float32 weights, these are ${weights}: ${near.told}.`);
    const all = await collectChecks(answers, models, near);
    for (const check of all.filter(({ name }) => wanted.test(name))) {
      if ('why' in check) {
        const why = check.why();
        if (why === undefined) continue;
        counts.notRun++;
        onCase(`not run  ${check.name}  ${why}`);
        continue;
      }
      const { passed, line } = await runCheck(check);
      counts[passed ? 'passed' : 'failed']++;
      onCase(line);
    }
  } finally {
    await models.close();
  }
  if (counts.passed + counts.failed > 0) return counts;
  throw new UserError({
    problem: 'No case was run',
    ...(filter !== undefined && { expected: 'a filter that matches the name of a case', found: filter }),
    where: dir,
  });
}

function filterOf(pattern = ''): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch (error) {
    throw new UserError({ problem: 'The filter is not a regular expression', found: messageOf(error) });
  }
}

async function collectChecks(
  answers: Answers,
  models: ModelCache,
  near: Nearness,
): Promise<(Check | NotRun)[]> {
  const open: OpenModel = (name, adapter) => models.open(name, adapter);
  // Trained are the weights themselves, never blocks of few bits.
  const openWhole: OpenModel = (name) => models.open(name, undefined, 'float32');
  const forward = await answers.folders('forward');
  const runs = await answers.folders('generate');
  const training = await answers.folders('training');
  const families = new Set<string>();
  for (const name of runs) if (await isFamily(answers, name)) families.add(name);
  const sources = [...new Set([...forward, ...runs, ...training])];
  const first = sources.includes('flat') ? 'flat' : sources[0];
  if (first === undefined) {
    throw new UserError({
      problem: 'There are no reference answers here',
      expected: 'sub-folders forward/, generate/ and training/ with cases.json files',
      where: answers.folder,
    });
  }
  const { checkpoints, adapters } = await modelsIn(answers);
  if (families.size > 0 && sources.every((name) => families.has(name))) {
    const checks = runs.map((name) =>
      part(`generate/${name}`, () => familyChecks(answers, open, near, name)),
    );
    return (await Promise.all(checks)).flat();
  }
  // What has no answers of its own holds the first one's weights in another form, and must give its answers.
  const twins = checkpoints.filter((name) => !sources.includes(name));
  const parts = [
    part('preprocess', () => preprocessChecks(answers, first)),
    part('tokens', () => tokenChecks(answers, first)),
  ];
  const trained = await isTrained(join(answers.folder, first, CONFIG_FILES.model));
  if (trained) parts.push(part('scoring', () => scoringChecks(answers)));
  // Checkpoint by checkpoint, so that each is opened once.
  for (const name of [...sources, ...twins]) {
    const source = twins.includes(name) ? first : name;
    if (forward.includes(source))
      parts.push(part(`forward/${name}`, () => forwardChecks(answers, open, near, source, name)));
    if (families.has(source))
      parts.push(part(`generate/${name}`, () => familyChecks(answers, open, near, name)));
    else if (runs.includes(source))
      parts.push(part(`generate/${name}`, () => generateChecks(answers, open, near, source, name)));
  }
  for (const [adapter, base = first] of adapters)
    parts.push(part(`forward/${adapter}`, () => adapterChecks(answers, open, near, base, adapter)));
  for (const source of training) {
    parts.push(part(`training/${source}`, () => trainingChecks(answers, openWhole, source)));
    parts.push(part(`training/${source}/steps`, () => stepChecks(answers, openWhole, source)));
  }
  for (const [name, folders] of Object.entries({ forward, generate: runs, ...(trained && { training }) }))
    if (folders.length === 0) parts.push(part(name, async () => []));
  return (await Promise.all(parts)).flat();
}

/** Whether a checkpoint's base is one that is trained here: what belongs to that, scoring included, is looked for then. */
async function isTrained(config: string): Promise<boolean> {
  try {
    return baseOf(parseModelConfig(await readJson(config), config).text).isTrained;
  } catch {
    // Whatever is wrong with it is told by the checks that open it.
    return true;
  }
}

/** The checks of a part of the folder; where it cannot be read or holds none, one that fails and says so. */
async function part(name: string, collect: () => Promise<(Check | NotRun)[]>): Promise<(Check | NotRun)[]> {
  const failing = (error: UserError): Check[] => [{ name, run: () => Promise.reject(error) }];
  try {
    const checks = await collect();
    return checks.length > 0 ? checks : failing(new UserError({ problem: 'There are no reference answers' }));
  } catch (error) {
    if (error instanceof UserError) return failing(error);
    throw error;
  }
}

const adapterConfig = z.looseObject({ base_model_name_or_path: z.string().nullish() });

/** Checkpoints, and adapters with the name of their base where that is among them. */
async function modelsIn(
  answers: Answers,
): Promise<{ checkpoints: string[]; adapters: (readonly [name: string, base: string | undefined])[] }> {
  const checkpoints: string[] = [];
  const adapters = new Set(await answers.adaptersWithLogits());
  for (const name of await answers.folders('.')) {
    if (await answers.has(`${name}/${CONFIG_FILES.model}`)) checkpoints.push(name);
    else if (await answers.has(`${name}/${CONFIG_FILES.adapter}`)) adapters.add(name);
  }
  return {
    checkpoints,
    adapters: await Promise.all(
      Array.from(adapters, async (name) => [name, await baseOfAdapter(answers, name, checkpoints)] as const),
    ),
  };
}

async function baseOfAdapter(
  answers: Answers,
  adapter: string,
  checkpoints: readonly string[],
): Promise<string | undefined> {
  const file = `${adapter}/${CONFIG_FILES.adapter}`;
  if (!(await answers.has(file))) return undefined;
  const { base_model_name_or_path: path } = await answers.json(file, adapterConfig);
  return checkpoints.find((name) => name === basename(path ?? ''));
}

async function runCheck(check: Check): Promise<{ passed: boolean; line: string }> {
  try {
    const measures = await check.run();
    const compared = measures.reduce((sum, { values }) => sum + values, 0);
    const passed = compared > 0 && measures.every(({ error, tolerance }) => error <= tolerance);
    const found = compared > 0 ? describe(measures) : 'nothing to compare';
    return { passed, line: `${passed ? 'pass' : 'FAIL'}  ${check.name}  ${found}` };
  } catch (error) {
    return { passed: false, line: `FAIL  ${check.name}  ${messageOf(error)}` };
  }
}

/** The measure closest to its tolerance, or beyond it. */
function describe(measures: Measure[]): string {
  const ratio = ({ error, tolerance }: Measure): number =>
    tolerance === 0 ? (error === 0 ? 0 : Infinity) : error / tolerance;
  const worst = measures.reduce<Measure | undefined>(
    (a, b) => (a === undefined || ratio(b) > ratio(a) ? b : a),
    undefined,
  );
  if (worst === undefined) return 'nothing to compare';
  if (worst.tolerance === 0) return worst.error === 0 ? 'exact' : `${worst.what} differs`;
  return `largest error ${worst.error.toExponential(1)} of ${Number(worst.tolerance.toPrecision(2)).toExponential()} (${worst.what})`;
}

/** One model open at a time: cases come checkpoint by checkpoint. */
class ModelCache {
  private readonly folder: string;
  private readonly options: Pick<ConformanceOptions, 'device' | 'weights' | 'packing'>;
  private current: { key: string; model: Model } | undefined;

  constructor(folder: string, options: Pick<ConformanceOptions, 'device' | 'weights' | 'packing'>) {
    this.folder = folder;
    this.options = options;
  }

  async open(name: string, adapterName?: string, format = this.options.weights ?? 'float32'): Promise<Model> {
    const key = [name, adapterName, format].join('+');
    if (this.current?.key !== key) {
      await this.close();
      const adapter = adapterName === undefined ? undefined : join(this.folder, adapterName);
      const opened = await openCheckpoint(join(this.folder, name), { adapter });
      const checkpoint = await inFormat(opened, format, this.options.packing);
      this.current = { key, model: await Model.open(checkpoint, this.options.device) };
    }
    return this.current.model;
  }

  async close(): Promise<void> {
    await this.current?.model.release();
    this.current = undefined;
  }
}
