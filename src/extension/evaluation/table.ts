/** A samples file with the evaluation that is shown of it: what the page's state is made of. No page, no dialogs. */

import { basename } from 'node:path';
import type { Disposable } from '../../base/disposable.ts';
import { t } from '../../base/l10n.ts';
import { couldShowLoss, effectsOf, type FedResults } from '../../evaluation/comparison.ts';
import { figuresOf, meansOf } from '../../evaluation/figures.ts';
import type { ResultsHeader } from '../../evaluation/results.ts';
import type { EvaluationState, PassState, TableState, TestsState } from '../../protocol/evaluation.ts';
import { deviceLabel } from '../../tensor/device.ts';
import type { Evaluations } from './processes.ts';
import { findEvaluations, FollowedResults, type FoundEvaluation, type Pass } from './resultsFiles.ts';
import { TableRows } from './rows.ts';
import { SamplesFile } from './samplesFile.ts';

const POLL_MS = 500;
/** Looks between two searches for evaluations that others have started. */
const SEARCH_EVERY = 20;

/** What a table asks of its window's evaluations. */
type KnownWork = Pick<Evaluations, 'work' | 'failureOf'>;

/** All of the page's state that does not depend on the window. */
export type OwnState = Omit<TableState, 'model' | 'locked'>;

export class SamplesTable implements Disposable {
  readonly samples: SamplesFile;
  readonly rows = new TableRows();
  private readonly abort = new AbortController();
  private readonly evaluations: KnownWork;
  private readonly onChange: () => void;
  private found: FoundEvaluation[] = [];
  /** Id of the evaluation to be shown as soon as its results are read. */
  private chosen: string | undefined;
  private followed: FollowedResults | undefined;
  private passes: Pass[] = [];
  private version = 0;
  private figures: { version: number; passes: PassState[] } | undefined;
  /** Samples that were done when the process that is at work was first seen. */
  private begun: { since: number; done: number } | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private looks = 0;

  /** @param onChange called when the state is another */
  constructor(file: string, evaluations: KnownWork, onChange: () => void) {
    this.evaluations = evaluations;
    this.onChange = onChange;
    this.samples = new SamplesFile(file, this.abort.signal, () => this.changed());
  }

  /** Reads the samples, then looks for results again and again. */
  async start(): Promise<void> {
    await this.samples.read();
    await this.search();
    this.schedule();
  }

  /** The evaluation that is shown. */
  get shown(): FoundEvaluation | undefined {
    return this.found.find(({ id }) => id === this.followed?.id);
  }

  /** Its passes, in the order of the samples. */
  results(): FedResults[] {
    return this.passes.map(({ fed, results }) => ({
      fed,
      results: this.samples.entries.flatMap(({ line }) => results.get(line) ?? []),
    }));
  }

  async choose(id: string): Promise<void> {
    const { hash } = this.samples;
    if (hash === undefined || this.chosen === id) return;
    this.chosen = id;
    const followed = new FollowedResults(id, hash);
    await followed.refresh();
    if (this.chosen !== id) return;
    // At once, so that figures of the one never stand under the name of the other.
    this.followed = followed;
    this.passes = followed.passes();
    this.begun = undefined;
    this.changed();
  }

  /** Looks for evaluations beside the file; shows the newest if none is shown. */
  async search(): Promise<void> {
    const { hash, file } = this.samples;
    if (hash === undefined) return;
    this.found = await findEvaluations(file, hash);
    if (this.chosen === undefined && this.found[0] !== undefined) await this.choose(this.found[0].id);
    else this.changed();
  }

  state(): OwnState {
    const { file, entries, reading, cut, failure } = this.samples;
    const unusable = entries.filter(({ problem }) => problem !== undefined);
    const problem = unusable[0]?.problem;
    const evaluation = this.followed && this.evaluationState(this.followed);
    return {
      version: this.version,
      name: basename(file),
      file,
      samples: entries.length,
      reading,
      cut,
      unusable: unusable.length,
      ...(problem !== undefined && { problem }),
      ...(failure !== undefined && { failure }),
      sizes: [...new Set(entries.flatMap(({ size }) => size ?? []))].toSorted((a, b) => a - b),
      evaluations: this.found.map(({ id, header }) => ({ id, name: evaluationName(id, header) })),
      ...(evaluation && { evaluation }),
    };
  }

  dispose(): void {
    this.abort.abort();
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.abort.signal.aborted) return;
    this.timer = setTimeout(() => {
      const look = ++this.looks % SEARCH_EVERY === 0 ? this.search() : this.refresh(false);
      // A file that is written to right now may be read in between; the next time comes soon.
      void look.catch(() => undefined).finally(() => this.schedule());
    }, POLL_MS);
  }

  /**
   * Reads what was added to the results.
   * @param always whether to tell even if nothing was
   */
  async refresh(always: boolean): Promise<void> {
    const grown = (await this.followed?.refresh()) === true;
    if (!grown && !always) return;
    this.passes = this.followed?.passes() ?? [];
    this.changed();
  }

  private changed(): void {
    if (this.abort.signal.aborted) return;
    this.version++;
    this.rows.show(this.samples.entries, this.passes, this.version);
    this.onChange();
  }

  private evaluationState({ id }: FollowedResults): EvaluationState {
    const work = this.evaluations.work(id);
    const failure = this.evaluations.failureOf(id);
    const passes = this.passStates();
    const done = this.passes
      .filter(({ fed }) => work?.passes.includes(fed) ?? true)
      .reduce((sum, pass) => sum + doneIn(pass, work?.tests === true), 0);
    const perPass = Math.min(work?.limit ?? Infinity, this.samples.entries.length);
    const total = perPass * (work?.passes ?? passes).length;
    const tests = testsState(this.passes);
    if (work?.opened !== true) this.begun = undefined;
    else this.begun ??= { since: Date.now(), done };
    const secondsLeft = this.begun && secondsLeftOf(this.begun, done, total);
    return {
      id,
      running: work !== undefined,
      ...(work?.opened === false && { starting: true }),
      ...(failure !== undefined && { failure }),
      facts: this.passes[0] === undefined ? [] : factsOf(this.passes[0].header),
      passes,
      ...(tests && { tests }),
      done,
      total: Math.max(total, done),
      ...(secondsLeft !== undefined && { secondsLeft }),
    };
  }

  private passStates(): PassState[] {
    if (this.figures?.version === this.version) return this.figures.passes;
    const passes = this.results();
    const effects = new Map(effectsOf(passes).map((effect) => [effect.fed, effect]));
    const states = passes.map(({ fed, results }): PassState => {
      const { all, sizes, notAnswered } = figuresOf(results);
      const effect = fed === 'own' ? undefined : effects.get(fed);
      if (effect === undefined || effect.samples === 0) return { fed, all, sizes, notAnswered };
      const { counts, samples, difference, low, high, p, changed } = effect;
      const open = !couldShowLoss(counts);
      return { fed, all, sizes, notAnswered, effect: { samples, difference, low, high, p, changed, open } };
    });
    this.figures = { version: this.version, passes: states };
    return states;
  }
}

/** Of a run with its own latents the tests come last. */
function doneIn({ fed, results }: Pass, tests: boolean): number {
  if (fed !== 'own' || !tests) return results.size;
  return [...results.values()].filter((result) => result.tests !== undefined || result.error !== undefined)
    .length;
}

function testsState(passes: readonly Pass[]): TestsState | undefined {
  const own = passes.find(({ fed }) => fed === 'own');
  const tests = [...(own?.results.values() ?? [])].flatMap((result) => result.tests ?? []);
  if (tests.length === 0) return undefined;
  return meansOf(tests);
}

function secondsLeftOf(
  begun: { since: number; done: number },
  done: number,
  total: number,
): number | undefined {
  const made = done - begun.done;
  if (made < 2) return undefined;
  return ((total - done) * (Date.now() - begun.since)) / made / 1000;
}

function evaluationName(id: string, { made, provider }: ResultsHeader): string {
  return [made?.name, deviceLabel(provider), basename(id)].filter((part) => part !== undefined).join(' · ');
}

function factsOf({ model, made, provider, settings }: ResultsHeader): string[] {
  const { temperature, seed, latents, weights = 'float32', question } = settings;
  return [
    `${made?.name ?? ''} ${model.slice(0, 12)}`.trim(),
    deviceLabel(provider),
    String(weights),
    latents === 'free' ? t('free blocks') : t('forced blocks'),
    temperature === 0 ? t('greedy') : t('temperature {0}, seed {1}', String(temperature), String(seed)),
    ...(typeof question === 'string' ? [t('asked “{0}”', question)] : []),
    ...(made === undefined ? [] : [made.at.slice(0, 10)]),
  ];
}
