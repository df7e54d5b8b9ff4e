/**
 * "Reason about an example": a picture that a bundled model knows how to read, drawn for the occasion and held out of what
 * it was trained on, with its question and the pictures to compare its latents with.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { CancelledError } from '../../base/errors.ts';
import { readLines } from '../../dataset/lines.ts';
import { helperImagesOf, parseSample } from '../../dataset/samples.ts';
import { bundledReference, type BundledModel } from '../../files/bundledModels.ts';
import { makeFolder } from '../../files/makeFolder.ts';
import { generateMaps } from '../../mazes/generate.ts';
import { MAP_DEFAULTS } from '../../mazes/stream.ts';
import { generateWorlds } from '../../worlds/generate.ts';
import { knownWorlds } from '../../worlds/known.ts';
import { requireTrust } from '../trust.ts';
import { choose } from '../window.ts';
import type { RunResult } from './controller.ts';
import type { ReasonCommand } from './reasonCommand.ts';
import { RUNS_NEED_TRUST } from './runs.ts';

export const EXAMPLES = ['world', 'maze'] as const;
export type Example = (typeof EXAMPLES)[number];

const MODELS: Record<Example, BundledModel> = { world: 'worlds', maze: 'maze' };
/** Of a world: enough that no word says what the picture looks like in the end. */
const MOVES = 3;
const MAX_SEED = 2 ** 31;

export class ExampleCommand {
  private readonly context: vscode.ExtensionContext;
  private readonly command: ReasonCommand;

  constructor(context: vscode.ExtensionContext, command: ReasonCommand) {
    this.context = context;
    this.command = command;
  }

  /**
   * @param called which, from code; everything else is asked
   * @returns undefined when a dialog was left
   */
  async reason(called?: unknown): Promise<RunResult | undefined> {
    requireTrust(RUNS_NEED_TRUST);
    const example = EXAMPLES.find((each) => each === called) ?? (await chooseExample());
    if (example === undefined) return undefined;
    const { question, images, helpers } = await this.draw(example);
    const options = { question, helpers, settings: { model: bundledReference(MODELS[example]) } };
    try {
      return await this.command.reasonWithoutDialogs(images, options, 'ask');
    } catch (error) {
      if (error instanceof CancelledError) return undefined;
      throw error;
    }
  }

  /** The one before it goes: its run has kept its pictures. */
  private async draw(
    example: Example,
  ): Promise<{ question: string; images: vscode.Uri[]; helpers: vscode.Uri[] }> {
    const folder = join(this.context.globalStorageUri.fsPath, 'example');
    await rm(folder, { recursive: true, force: true });
    await makeFolder(folder);
    const seed = Math.floor(Math.random() * MAX_SEED);
    const options = { signal: new AbortController().signal, onProgress: () => undefined };
    const { samplesFile } =
      example === 'world'
        ? await generateWorlds(folder, knownWorlds(seed, 1, [MOVES]), options)
        : await generateMaps(
            folder,
            { ...MAP_DEFAULTS, count: 1, minMoves: MOVES, seed, split: 'held-out', form: 'latents' },
            options,
          );
    for await (const line of readLines(samplesFile)) {
      const sample = await parseSample(line, samplesFile);
      const files = (pictures: readonly { path?: string | undefined }[]): vscode.Uri[] =>
        pictures.flatMap(({ path }) => (path === undefined ? [] : [vscode.Uri.file(path)]));
      return {
        question: sample.question.replaceAll('<image>', '').trim(),
        images: files(sample.images),
        helpers: files(helperImagesOf(sample)),
      };
    }
    throw new Error(`${samplesFile} is empty`);
  }
}

async function chooseExample(): Promise<Example | undefined> {
  const picked = await choose(
    [
      {
        label: vscode.l10n.t('A world that moves'),
        detail: vscode.l10n.t('What is the map after these moves? This model’s latents are needed'),
        example: 'world' as const,
      },
      {
        label: vscode.l10n.t('A maze'),
        detail: vscode.l10n.t('Find a safe path. This model’s latents do nothing, as the tests show'),
        example: 'maze' as const,
      },
    ],
    {
      title: vscode.l10n.t('Reason about which example?'),
      placeholder: vscode.l10n.t('A new picture is drawn each time; nothing is downloaded'),
    },
  );
  return picked?.example;
}
