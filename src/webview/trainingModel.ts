/** The training run that is shown, as the host's messages make it. */

import { fromBase64 } from '../base/base64.ts';
import { messageOf } from '../base/errors.ts';
import {
  applyChange,
  type Look,
  type TrainingChange,
  type TrainingPageMethods,
  type TrainingState,
} from '../protocol/training.ts';
import type { WatchedStep } from '../watch/watched.ts';
import { Pictures } from './draw/pictures.ts';
import { PageModel } from './pageModel.ts';

/** Looks kept in memory; going back and forth among these is immediate. */
const MAX_LOOKS = 60;

export class TrainingModel extends PageModel implements TrainingPageMethods {
  state: TrainingState | undefined;
  readonly pictures = new Pictures(() => this.changed());
  private readonly fetchLook: (step: number, sample: number) => Promise<Look>;
  private readonly looks = new Map<string, Look | 'asked' | Error>();

  constructor(fetchLook: (step: number, sample: number) => Promise<Look>) {
    super();
    this.fetchLook = fetchLook;
  }

  async show(state: TrainingState): Promise<void> {
    this.state = state;
    this.changed();
  }

  async change(change: TrainingChange): Promise<void> {
    if (this.state === undefined) return;
    // A step done anew is looked at anew.
    if (change.metrics !== undefined && change.metrics.from < this.state.metrics.length) this.looks.clear();
    this.state = applyChange(this.state, change);
    this.changed();
  }

  /** A look at the watched sample; asked for if it is not there yet. */
  look(step: number): WatchedStep | Error | undefined {
    const sample = this.state?.watch?.sample;
    if (sample === undefined) return undefined;
    const key = `${sample} ${step}`;
    const known = this.looks.get(key);
    if (known === 'asked') return undefined;
    if (known instanceof Error) return known;
    if (known !== undefined) {
      this.showPictures(known);
      return known.watched;
    }
    this.looks.set(key, 'asked');
    void this.fetchLook(step, sample)
      .then((look) => this.remember(key, look))
      .catch((error: unknown) => this.remember(key, new Error(messageOf(error))));
    return undefined;
  }

  private remember(key: string, look: Look | Error): void {
    this.looks.delete(key);
    this.looks.set(key, look);
    const oldest = this.looks.keys().next().value;
    if (this.looks.size > MAX_LOOKS && oldest !== undefined) this.looks.delete(oldest);
    this.changed();
  }

  /** The same pictures for every look at one sample: decoded once. */
  private showPictures({ watched, pictures }: Look): void {
    const wanted = new Map(
      watched.blocks.map(({ picture }) => {
        const { file, name, width, height } = picture;
        const read = async (): Promise<Uint8Array> => fromBase64(pictures[file] ?? '');
        return [file, { id: file, name, width, height, content: pictures[file] ?? '', read }];
      }),
    );
    const shown = [...wanted.keys()].join();
    if (shown === this.shownPictures) return;
    this.shownPictures = shown;
    this.pictures.show([...wanted.values()]);
    for (const file of wanted.keys()) this.pictures.need(file);
  }
  private shownPictures = '';
}
