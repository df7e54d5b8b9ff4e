/**
 * Runs every case of a folder of reference answers (layout: README, "Conformance") and says, one line
 * per case, how far off it was. The answers were made by the released ILVR code and by upstream
 * transformers, never by this project.
 */

import { join } from 'node:path';
import { UserError, messageOf } from '../base/errors.ts';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { Model } from '../inference/model.ts';
import type { Provider } from '../ort/session.ts';
import { Answers } from './answers.ts';
import type { Check, Measure, NotRun } from './check.ts';
import { adapterChecks, forwardChecks, generateChecks, type OpenModel } from './inference.ts';
import { preprocessChecks, scoringChecks, tokenChecks } from './preprocessing.ts';
import { trainingChecks } from './training.ts';

export interface ConformanceOptions {
  dir: string;
  device: Provider;
  /** Only cases whose name matches this regular expression. */
  filter?: string;
  onCase: (line: string) => void;
}

/** @returns how many cases passed, failed, and were not run */
export async function runConformance(
  options: ConformanceOptions,
): Promise<{ passed: number; failed: number; notRun: number }> {
  const answers = new Answers(options.dir);
  const models = new ModelCache(options.dir, options.device);
  const wanted = filterOf(options.filter);
  const counts = { passed: 0, failed: 0, notRun: 0 };
  try {
    for (const check of await collectChecks(answers, (name, adapter) => models.open(name, adapter))) {
      if (!wanted.test(check.name)) continue;
      if ('why' in check) {
        counts.notRun++;
        options.onCase(`not run  ${check.name}  ${check.why}`);
        continue;
      }
      const { passed, line } = await runCheck(check);
      counts[passed ? 'passed' : 'failed']++;
      options.onCase(line);
    }
  } finally {
    await models.close();
  }
  return counts;
}

function filterOf(pattern = ''): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch (error) {
    throw new UserError({ problem: 'The filter is not a regular expression', found: messageOf(error) });
  }
}

async function collectChecks(answers: Answers, open: OpenModel): Promise<(Check | NotRun)[]> {
  const forward = await answers.list('forward');
  const sources = [...new Set([...forward, ...(await answers.list('generate'))])].filter(
    (name) => !name.includes('.'),
  );
  const first = sources.includes('flat') ? 'flat' : sources[0];
  if (first === undefined) {
    throw new UserError({
      problem: 'There are no reference answers here',
      expected: 'sub-folders forward/ and generate/ with cases.json files',
      where: answers.folder,
    });
  }
  const checks: (Check | NotRun)[] = [
    ...(await preprocessChecks(answers, first)),
    ...(await tokenChecks(answers, first)),
    ...(await scoringChecks(answers)),
  ];
  // nested/ and bin/ hold the weights of flat/ in other forms and must give its answers.
  const pairs = sources.map((source) => [source, source] as const);
  for (const name of ['nested', 'bin'])
    if (await answers.has(`${name}/config.json`)) pairs.push([first, name]);
  for (const [source, name] of pairs) {
    checks.push(
      ...(await forwardChecks(answers, open, source, name)),
      ...(await generateChecks(answers, open, source, name)),
    );
  }
  if (await answers.has('lora')) checks.push(...(await adapterChecks(answers, open, first, 'lora')));
  for (const source of await answers.list('training'))
    checks.push(...(await trainingChecks(answers, open, source)));
  return checks;
}

async function runCheck(check: Check): Promise<{ passed: boolean; line: string }> {
  try {
    const measures = await check.run();
    const passed = measures.every(({ error, tolerance }) => error <= tolerance);
    return { passed, line: `${passed ? 'pass' : 'FAIL'}  ${check.name}  ${describe(measures)}` };
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
  return `largest error ${worst.error.toExponential(1)} of ${worst.tolerance.toExponential(0)} (${worst.what})`;
}

/** One model open at a time: cases come checkpoint by checkpoint. */
class ModelCache {
  private readonly folder: string;
  private readonly provider: Provider;
  private current: { key: string; model: Model } | undefined;

  constructor(folder: string, provider: Provider) {
    this.folder = folder;
    this.provider = provider;
  }

  async open(name: string, adapterName?: string): Promise<Model> {
    const key = [name, adapterName].join('+');
    if (this.current?.key !== key) {
      await this.close();
      const adapter = adapterName === undefined ? undefined : join(this.folder, adapterName);
      const checkpoint = await openCheckpoint(join(this.folder, name), { adapter });
      this.current = { key, model: await Model.open(checkpoint, this.provider) };
    }
    return this.current.model;
  }

  async close(): Promise<void> {
    await this.current?.model.release();
    this.current = undefined;
  }
}
