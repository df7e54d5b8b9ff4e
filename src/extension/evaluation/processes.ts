/** The evaluations that this window has started, by their results. */

import { basename, dirname, extname, join } from 'node:path';
import * as vscode from 'vscode';
import type { Disposable } from '../../base/disposable.ts';
import { messageOf } from '../../base/errors.ts';
import { FED } from '../../evaluation/fed.ts';
import { passPath, type ResultsHeader } from '../../evaluation/results.ts';
import { isThere } from '../../files/plainFile.ts';
import type { StartChoice } from '../../protocol/evaluation.ts';
import { ChildCommand } from '../childCommand.ts';
import type { Log } from '../log.ts';
import type { Reporter } from '../report.ts';
import type { RunSettings } from '../settings.ts';
import { requireTrust } from '../trust.ts';
import { headerOf } from './resultsFiles.ts';

export const EVALUATION_NEEDS_TRUST = 'Samples are evaluated in trusted workspaces only';

/** What is evaluated, and how. */
export interface EvaluationPlan extends StartChoice {
  /** The samples file, and the folder that its pictures' paths count from if that is another. */
  file: string;
  pictures: string | undefined;
  /** sha256 of the samples file. */
  hash: string;
  /** The model's folder is absent where the bundled one is meant. */
  settings: Omit<RunSettings, 'model'> & { model?: string };
  modelName: string;
  weightsCache: string;
}

/** An evaluation that is at work. */
export interface Work extends StartChoice {
  /** When it was started, milliseconds since the epoch. */
  since: number;
  /** Whether it has come to its samples. */
  opened: boolean;
}

interface Running extends Work {
  command: ChildCommand<'evaluating'>;
}

export class Evaluations implements Disposable {
  private readonly running = new Map<string, Running>();
  private readonly failures = new Map<string, string>();
  private readonly services: { cliPath: string; log: Log; reporter: Reporter };
  private readonly changed = new vscode.EventEmitter<string>();

  /** With the id of the evaluation. */
  readonly onDidChange = this.changed.event;

  constructor(services: { cliPath: string; log: Log; reporter: Reporter }) {
    this.services = services;
  }

  work(id: string): Work | undefined {
    return this.running.get(id);
  }

  /** Ids of those at work. */
  get ids(): string[] {
    return [...this.running.keys()];
  }

  /** Why the last process of an evaluation ended before its time. */
  failureOf(id: string): string | undefined {
    return this.failures.get(id);
  }

  /**
   * Starts an evaluation, or goes on with it.
   * @returns its id, at once; and when it has ended: whether it is done
   * @throws TrustError
   */
  async start(plan: EvaluationPlan): Promise<{ id: string; ended: Promise<boolean> }> {
    requireTrust(EVALUATION_NEEDS_TRUST);
    const id = await resultsOf(plan);
    const { log } = this.services;
    const known = this.running.get(id);
    if (known !== undefined) return { id, ended: known.command.ended };
    const { passes, tests, limit } = plan;
    // Passes lie side by side, so that others can be added later.
    const results = passes.length > 1 ? id : passPath(id, passes[0]!);
    const more = [`--results=${results}`, `--intervene=${passes.join(',')}`, '--quiet'];
    const command = this.run(['evaluate', ...argumentsOf(plan), ...more, ...(tests ? ['--tests'] : [])]);
    const choice = { passes, tests, ...(limit !== undefined && { limit }) };
    const running: Running = { command, since: Date.now(), opened: false, ...choice };
    this.running.set(id, running);
    this.failures.delete(id);
    this.changed.fire(id);
    const tell = async (): Promise<void> => {
      try {
        await command.opened;
        running.opened = true;
        this.changed.fire(id);
        await command.ended;
      } catch (error) {
        this.failures.set(id, messageOf(error));
        log.write('error', messageOf(error));
      } finally {
        this.running.delete(id);
        this.changed.fire(id);
      }
    };
    void tell();
    return { id, ended: command.ended };
  }

  /**
   * Starts the writing of a report from the results of a plan; what they lack is evaluated first.
   * @param out page to write
   * @throws TrustError
   */
  async report(plan: EvaluationPlan, out: string): Promise<ChildCommand<'evaluating'>> {
    requireTrust(EVALUATION_NEEDS_TRUST);
    const id = await resultsOf(plan);
    const { model = 'bundled', ...settings } = plan.settings;
    return this.run([
      'report',
      model,
      ...argumentsOf({ ...plan, settings }),
      `--results=${id}`,
      `--out=${out}`,
    ]);
  }

  stop(id: string): void {
    this.running.get(id)?.command.stop();
  }

  dispose(): void {
    // The processes notice that nobody listens any more, and end after their sample.
    for (const { command } of this.running.values()) command.stop();
    this.changed.dispose();
  }

  private run(args: string[]): ChildCommand<'evaluating'> {
    const { cliPath, log } = this.services;
    return new ChildCommand('evaluating', {
      cliPath,
      args,
      what: 'evaluation',
      next: 'Starting it again goes on with the samples that are left.',
      log: (level, text) => log.write(level, text),
    });
  }
}

/** Results of a plan, beside the samples: those of an earlier run of the same plan, or a name that is free. */
async function resultsOf(plan: EvaluationPlan): Promise<string> {
  const { file, modelName, limit } = plan;
  const stem = basename(file, extname(file));
  const first = limit === undefined ? '' : `.first-${limit}`;
  for (let copy = 1; ; copy++) {
    const name = `${stem}.${safe(modelName)}${first}${copy === 1 ? '' : `-${copy}`}.results.jsonl`;
    const id = join(dirname(file), name);
    const headers = await headersOf(id);
    if (headers === undefined || headers.every((header) => isOf(header, plan))) return id;
  }
}

/** Of the passes that are there; undefined if none is. */
async function headersOf(id: string): Promise<(ResultsHeader | undefined)[] | undefined> {
  const paths = [id, ...FED.map((fed) => passPath(id, fed))];
  const there = await Promise.all(paths.map(isThere));
  const found = paths.filter((_, i) => there[i]);
  return found.length === 0 ? undefined : Promise.all(found.map(headerOf));
}

/** Whether results are of a plan, as far as can be told before the model is loaded. */
function isOf(header: ResultsHeader | undefined, { hash, settings }: EvaluationPlan): boolean {
  if (header === undefined || header.samples !== hash) return false;
  const { made, settings: were } = header;
  const isSame = (key: keyof RunSettings): boolean =>
    settings[key] === undefined || settings[key] === were[key];
  return (
    made?.model === settings.model &&
    made?.adapter === settings.adapter &&
    (['latents', 'seed', 'temperature', 'topP', 'maxTokens', 'repetitionPenalty'] as const).every(isSame) &&
    (['system', 'minPixels', 'maxPixels'] as const).every((key) => settings[key] === were[key]) &&
    JSON.stringify(settings.protocol) === JSON.stringify(were['protocol'])
  );
}

/** What may stand in a file's name everywhere. */
function safe(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, '-').slice(0, 60) || 'model';
}

function argumentsOf(plan: EvaluationPlan): string[] {
  const { file, pictures, settings, limit, weightsCache } = plan;
  const optional = (name: string, value: string | number | undefined): string[] =>
    value === undefined ? [] : [`--${name}=${value}`];
  return [
    file,
    ...optional('pictures', pictures),
    ...optional('limit', limit),
    ...optional('model', settings.model),
    ...optional('adapter', settings.adapter),
    `--device=${settings.device}`,
    `--weights=${settings.weights}`,
    `--weights-cache=${weightsCache}`,
    `--latents=${settings.latents}`,
    `--seed=${settings.seed}`,
    `--temperature=${settings.temperature}`,
    `--top-p=${settings.topP}`,
    `--max-tokens=${settings.maxTokens}`,
    ...optional('repetition-penalty', settings.repetitionPenalty),
    ...optional('protocol', settings.protocol && JSON.stringify(settings.protocol)),
    ...optional('system', settings.system),
    ...optional('min-pixels', settings.minPixels),
    ...optional('max-pixels', settings.maxPixels),
  ];
}
