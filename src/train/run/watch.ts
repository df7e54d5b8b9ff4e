/**
 * Looks at one sample every few steps: what the teacher selects in its helper pictures now, and what the
 * student's latents select there by the same rule. Nothing of the training depends on it.
 */

import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UserError } from '../../base/errors.ts';
import { isFile } from '../../files/plainFile.ts';
import { replaceFile } from '../../files/replaceFile.ts';
import type { ModelConfig } from '../../model/config.ts';
import { cosines, select, type Selection, type SelectionSettings } from '../../model/selection.ts';
import type { WatchRequest } from '../../watch/status.ts';
import {
  toForget,
  WATCH_FOLDER,
  watchedFile,
  watchedNameOf,
  type WatchedBlock,
  type WatchedName,
  type WatchedSelection,
  type WatchedStep,
} from '../../watch/watched.ts';
import type { PlanStep } from '../data/sequence.ts';
import type { RecipeLearner } from '../recipe/learner.ts';
import type { BlockTargets } from '../recipe/teacher.ts';
import { writing } from './runFolder.ts';
import { readWatchedSample, type SeenPicture, type WatchedSample } from './watchedSample.ts';

/** Looks that are kept of one sample, and bytes of all; older ones thin out. */
const MAX_LOOKS = 200;
const MAX_BYTES = 32 * 2 ** 20;

export class Watch {
  private readonly learner: RecipeLearner;
  private readonly config: ModelConfig;
  private readonly folder: string;
  private request: WatchRequest | undefined;
  private sample: WatchedSample | UserError | undefined;

  /** @param run the run's folder */
  constructor(learner: RecipeLearner, config: ModelConfig, run: string) {
    this.learner = learner;
    this.config = config;
    this.folder = path.join(run, WATCH_FOLDER);
  }

  /** Looks if it is due after this many steps, or if another sample is asked for. */
  async after(step: number, request: WatchRequest): Promise<void> {
    const isNew = request.sample !== this.request?.sample;
    this.request = request;
    if (request.every === 0 || (!isNew && step % request.every !== 0)) return;
    if (isNew) this.sample = await this.read(request.sample);
    const look = await this.look(step, request.sample);
    await writing(this.folder, async () => {
      await mkdir(this.folder, { recursive: true });
      if (!(this.sample instanceof UserError)) await this.writePictures(this.sample!);
      await replaceFile(path.join(this.folder, watchedFile(look)), JSON.stringify(look));
      await this.thinOut();
    });
  }

  /** Forgets looks after the step that a run goes on from: they will come again. */
  async dropAfter(step: number): Promise<void> {
    for (const { file, name } of await this.looks())
      if (name.step > step) await rm(path.join(this.folder, file), { force: true });
  }

  /** A sample that cannot be read is told where it would be seen; training goes on. */
  private async read(index: number): Promise<WatchedSample | UserError> {
    try {
      return await readWatchedSample(this.learner.data, index, this.learner.pictures);
    } catch (error) {
      if (error instanceof UserError) return error;
      throw error;
    }
  }

  private async look(step: number, index: number): Promise<WatchedStep> {
    const { sample } = this;
    const { stage } = this.learner.trainer.settings;
    const about = { step, sample: index, stage };
    if (sample === undefined || sample instanceof UserError)
      return { ...about, where: '', question: '', problem: messageOf(sample), blocks: [] };
    const { where, helpers } = sample;
    const told = { ...about, where, question: sample.sample.question };
    const seen = helpers.filter((helper) => helper !== undefined);
    if (seen.length === 0) return { ...told, problem: 'This sample has no latent blocks.', blocks: [] };
    if (seen.length < helpers.length)
      return { ...told, problem: 'A latent block of this sample has no helper picture.', blocks: [] };
    try {
      return { ...told, blocks: await this.blocksOf(sample, seen) };
    } catch (error) {
      // What is wrong with the sample must not end a training that may never learn it.
      if (error instanceof UserError) return { ...told, problem: error.message, blocks: [] };
      throw error;
    }
  }

  private async blocksOf({ sample }: WatchedSample, seen: SeenPicture[]): Promise<WatchedBlock[]> {
    const { trainer } = this.learner;
    const { latentSize, vision } = this.config;
    const { blocks, latents } = await trainer.observe(sample);
    const { coverage, temperature } = trainer.settings;
    const rule = { coverage, temperature, count: latentSize };
    const texts = textsBefore(sample.plan);
    return blocks.map((teacher, b) =>
      blockOf(texts[b]!, seen[b]!, vision.mergeSize, teacher, latents[b]!, rule),
    );
  }

  private async writePictures({ helpers }: WatchedSample): Promise<void> {
    for (const helper of helpers) {
      const file = helper && path.join(this.folder, helper.file);
      if (file !== undefined && !(await isFile(file))) await replaceFile(file, helper!.png);
    }
  }

  private async thinOut(): Promise<void> {
    const looks = await this.looks();
    const bytes = looks.reduce((sum, look) => sum + look.bytes, 0);
    const most = bytes <= MAX_BYTES ? MAX_LOOKS : Math.floor((looks.length * MAX_BYTES) / bytes);
    for (const sample of new Set(looks.map(({ name }) => name.sample))) {
      const steps = looks.flatMap(({ name }) => (name.sample === sample ? [name.step] : []));
      for (const step of toForget(steps, most))
        await rm(path.join(this.folder, watchedFile({ sample, step })), { force: true });
    }
  }

  private async looks(): Promise<{ file: string; name: WatchedName; bytes: number }[]> {
    const files = await readdir(this.folder).catch(() => []);
    const looks = files.flatMap((file) => {
      const name = watchedNameOf(file);
      return name === undefined ? [] : [{ file, name }];
    });
    return Promise.all(
      looks.map(async (look) => ({ ...look, bytes: (await stat(path.join(this.folder, look.file))).size })),
    );
  }
}

function blockOf(
  text: string,
  { grid, file, name, width, height }: SeenPicture,
  mergeSize: number,
  teacher: BlockTargets,
  latents: readonly Float32Array[],
  rule: SelectionSettings,
): WatchedBlock {
  return {
    text,
    picture: { file, name, width, height },
    grid: { rows: grid.height / mergeSize, columns: grid.width / mergeSize },
    groupSize: teacher.groupSize,
    teacher: written(teacher),
    latents: latents.map((latent, i) => {
      const target = teacher.targets[i];
      return {
        ...written(select(latent, teacher.features, rule)),
        ...(target !== undefined && {
          toTarget: short(cosines(latent, { shape: [1, target.length], data: target })[0]!),
        }),
      };
    }),
  };
}

/** The answer's text before each block. */
function textsBefore(plan: readonly PlanStep<unknown>[]): string[] {
  const texts: string[] = [];
  let text = '';
  for (const step of plan) {
    if (step.type === 'text') text += step.content;
    else {
      texts.push(text);
      text = '';
    }
  }
  return texts;
}

function written({ cosines: similarity, probabilities, selected }: Selection): WatchedSelection {
  return { cosines: [...similarity].map(short), probabilities: [...probabilities].map(short), selected };
}

/** Six digits: what is shown has three. */
const short = (value: number): number => Number(value.toPrecision(6));
