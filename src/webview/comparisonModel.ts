/** The two runs that are compared, as the host's messages make them. */

import { compareRuns, type RunComparison } from '../comparison/compare.ts';
import type { BlockLikeness } from '../comparison/latents.ts';
import { CancelledError, messageOf } from '../base/errors.ts';
import {
  SIDES,
  type ComparedRun,
  type ComparisonPageHost,
  type ComparisonPageMethods,
  type ComparisonState,
  type Side,
} from '../protocol/comparison.ts';
import type { Query } from '../trace/queries.ts';
import { RunMaps } from '../trace/runMaps.ts';
import { Slices } from '../trace/slices.ts';
import { Pictures } from './draw/pictures.ts';
import { SliceLoader } from './sliceLoader.ts';
import { PageModel } from './pageModel.ts';

type Host = Pick<ComparisonPageHost, 'slice' | 'cancelSlice' | 'picture' | 'likeness' | 'computeDivergence'>;

/** One of the two, with what is at hand of its arrays. */
export interface ShownRun extends ComparedRun {
  maps: RunMaps;
  pictures: Pictures;
  loader: SliceLoader;
}

export class ComparisonModel extends PageModel implements ComparisonPageMethods {
  state: ComparisonState | undefined;
  runs: Record<Side, ShownRun> | undefined;
  comparison: RunComparison | undefined;
  /** Absent until the host has answered; null where the latents have other sizes. */
  likeness: BlockLikeness[] | null | undefined;
  /** What goes on while the divergence is computed; absent while it is not. */
  computing: string | undefined;
  /** What could not be read. */
  problem: string | undefined;
  private readonly host: Host;
  private requests = 0;

  constructor(host: Host) {
    super();
    this.host = host;
  }

  async show(state: ComparisonState): Promise<void> {
    this.state = state;
    for (const side of SIDES) this.runs?.[side].loader.stop();
    this.runs = { a: this.runOf('a', state.a), b: this.runOf('b', state.b) };
    this.comparison = compareRuns(state.a.trace, state.b.trace);
    this.changed();
    try {
      this.likeness = await this.host.likeness();
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.changed();
  }

  async found({ progress, result }: Parameters<ComparisonPageMethods['found']>[0]): Promise<void> {
    if (result !== undefined && this.state !== undefined) this.state = { ...this.state, divergence: result };
    this.computing = progress;
    this.changed();
  }

  async compute(): Promise<void> {
    this.computing = '';
    this.changed();
    try {
      await this.host.computeDivergence();
    } finally {
      this.computing = undefined;
      this.changed();
    }
  }

  /** Brings slices for what is looked at. */
  want(side: Side, queries: readonly Query[]): void {
    this.runs?.[side].loader.want(queries);
  }

  private runOf(side: Side, run: ComparedRun): ShownRun {
    const { trace } = run;
    const slices = new Slices(async (query, signal) => {
      const id = this.requests++;
      const answer = this.host.slice({ side, id, run: trace.id, query });
      if (!(signal instanceof AbortSignal)) return answer;
      const cancelled = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          void this.host.cancelSlice({ side, id }).catch(() => undefined);
          reject(new CancelledError('The request'));
        });
      });
      return Promise.race([answer, cancelled]);
    });
    const pictures = new Pictures(() => this.changed());
    pictures.show(
      trace.pictures.map(({ id, name, width, height, png }) => ({
        id,
        name,
        width,
        height,
        content: `${trace.id} ${png.sha256}`,
        read: () => this.host.picture({ side, run: trace.id, picture: id }),
      })),
    );
    const loader = new SliceLoader(slices, {
      onArrived: () => this.changed(),
      onProblem: (problem) => {
        this.problem = problem;
        this.changed();
      },
    });
    return { ...run, maps: new RunMaps(trace, slices), pictures, loader };
  }
}
