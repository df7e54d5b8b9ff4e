/** `ilvr compare-weights`: what weights of few bits change in a checkpoint, against its float32. */

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { activityText } from '../base/activity.ts';
import { CancelledError, UserError } from '../base/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { WeightsComparison } from '../conformance/weights/compare.ts';
import type { LatentDifference } from '../conformance/weights/measures.ts';
import { folderOfModel } from '../files/bundledModels.ts';
import { requireWritable, writeJson } from '../files/replaceFile.ts';
import { planMemory } from '../inference/plan.ts';
import { availableMemory } from '../process/memory.ts';
import { requireDevice, requireHalf } from '../process/gpuProbe.ts';
import { DEVICES, type Device } from '../tensor/device.ts';
import { formatLabel, WEIGHT_FORMATS, type WeightFormat } from '../tensor/weightFormat.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer, weightsCacheOption } from './options.ts';
import { readImage } from './reason.ts';
import { label, Styled, type Terminal } from './terminal.ts';

interface CompareWeightsOptions {
  weights: WeightFormat;
  device: Device;
  image: string[];
  weightsCache?: string;
  adapter?: string;
  question?: string;
  latents: 'forced' | 'free';
  maxTokens: number;
  json?: string;
}

const ABOUT = `
The float32 model answers; the other one is made to give the same words, with latents and picture features of its
own. hidden: |difference| / |float32| of the states after a layer. attention: total variation of its rows, 0 is equal
and 1 is elsewhere altogether. KL: of the next word, in nats. moved: share of a latent's map that lies elsewhere.`;

/** What may stand beside float32. */
const FORMATS = WEIGHT_FORMATS.filter((format) => format !== 'float32');

/** Adds the command. */
export function addCompareWeights(
  program: Command,
  context: CliContext,
  finished: (code: number) => void,
): void {
  program
    .command('compare-weights')
    .description('measure what weights of fewer bits change in a model, layer by layer')
    .argument('[dir]', 'Hugging Face folder of the model (default: the bundled one)')
    .addOption(
      new Option('--weights <format>', 'what to compare with float32').choices(FORMATS).default('8bit'),
    )
    .addOption(
      new Option('--device <name>', 'where both are computed; float16 wants a GPU')
        .choices(DEVICES)
        .default('cpu'),
    )
    .addOption(new Option('--image <image...>', 'pictures to ask about').makeOptionMandatory())
    .option('--adapter <dir>', 'folder of a LoRA adapter to apply to the model')
    .option('--question <text>', "what to ask (default: the model's own question, if it names one)")
    .addOption(
      new Option('--latents <mode>', 'forced: exactly K per block; free: the model ends blocks itself')
        .choices(['forced', 'free'])
        .default('forced'),
    )
    .option('--max-tokens <n>', 'longest answer, latents included', integer('a number of tokens', 1), 128)
    .option('--json <out>', 'write all figures there')
    .addOption(weightsCacheOption())
    .addHelpText('after', ABOUT)
    .action(async (folder: string | undefined, options: CompareWeightsOptions) => {
      finished(await run(context, folder, options));
    });
}

async function run(
  context: CliContext,
  folder: string | undefined,
  options: CompareWeightsOptions,
): Promise<number> {
  const { terminal, signal, models, packWorkerPath, enginePath } = context;
  const { weights, device, weightsCache, adapter, latents, maxTokens, json } = options;
  if (json !== undefined) await requireWritable(resolve(json));
  // Imported when they are wanted: they alone load the runtime into this process.
  const [{ openCheckpoint }, { compareWeights }] = await Promise.all([
    import('../checkpoint/checkpoint.ts'),
    import('../conformance/weights/compare.ts'),
  ]);
  const images = await Promise.all(options.image.map(readImage));
  const checkpoint = await openCheckpoint(folderOfModel(models, folder), {
    ...(adapter !== undefined && { adapter: resolve(adapter) }),
  });
  checkMemory(checkpoint, weights, device);
  await requireDevice(enginePath, device);
  if (weights === 'float16') await requireHalf(enginePath, device);
  const question = questionOf(checkpoint, options.question);
  const onStep = async (message: string): Promise<void> => {
    terminal.passing(message);
    await new Promise((done) => setImmediate(done));
    if (signal.aborted) throw new CancelledError('The comparison');
  };
  const comparison = await compareWeights(
    checkpoint,
    weights,
    { question, images, latents, maxTokens },
    {
      onStep,
      provider: device,
      worker: packWorkerPath,
      threads: availableParallelism(),
      ...(weightsCache !== undefined && { folder: resolve(weightsCache) }),
      signal,
      progress: (activity, fraction) => terminal.progress(activityText(activity), fraction),
      warn: (text) => terminal.error(text),
    },
  );
  terminal.clearProgress();
  report(terminal, checkpoint, comparison);
  if (json !== undefined) await writeJson(resolve(json), comparison);
  return EXIT.ok;
}

/** One after the other is in memory, so each must fit by itself. */
function checkMemory(
  { config, processor, parameterCount, folder }: Checkpoint,
  weights: WeightFormat,
  provider: Device,
): void {
  const context = {
    config,
    processor,
    parameterCount,
    provider,
    free: availableMemory(),
  };
  for (const format of ['float32', weights] as const) planMemory(context, format, folder);
}

function questionOf({ question }: Checkpoint, asked: string | undefined): string {
  if (asked ?? question) return (asked ?? question)!;
  throw new UserError({ problem: 'There is no question', remedy: 'Give one with --question.' });
}

function report(terminal: Terminal, { tokenizer }: Checkpoint, comparison: WeightsComparison): void {
  const { format, answers, layers, words, features, fed } = comparison;
  terminal.line(label('weights'), `${formatLabel(format)} against float32`);
  terminal.line(label('answer'), new Styled('bold', shortened(answers.float32)));
  terminal.line(label(''), answers.same ? 'the same' : `by itself: ${shortened(answers.other)}`);
  terminal.line(label('pictures'), `features off by ${percent(features)}`);
  terminal.line();
  terminal.line('layer   hidden  attention      most');
  terminal.line(`${'fed'.padStart(5)} ${percent(fed).padStart(8)}`);
  for (const { layer, hidden, attention, attentionMost } of layers) {
    const [mean, most] = [attention.toFixed(5).padStart(9), attentionMost.toFixed(5).padStart(8)];
    terminal.line(`${String(layer).padStart(5)} ${percent(hidden).padStart(8)}  ${mean}  ${most}`);
  }
  terminal.line();
  reportWords(terminal, words, (id) => tokenizer.decode([id]));
  reportLatents(terminal, comparison);
}

function reportWords(
  terminal: Terminal,
  words: WeightsComparison['words'],
  textOf: (id: number) => string,
): void {
  if (words.length === 0) return;
  const mean = words.reduce((sum, { divergence }) => sum + divergence, 0) / words.length;
  const most = words.reduce((a, b) => (b.divergence > a.divergence ? b : a));
  const same = words.filter(({ sameChoice }) => sameChoice).length;
  terminal.line(
    label('words'),
    `KL ${nats(mean)} on average, most ${nats(most.divergence)} at token ${most.index + 1}, ${JSON.stringify(textOf(most.id))}; `,
    `likeliest word the same at ${same} of ${words.length}`,
  );
}

function reportLatents(terminal: Terminal, { latents, mapLayer }: WeightsComparison): void {
  if (latents.length === 0) return;
  terminal.line(label('latents'), `maps of layer ${mapLayer}, which looks at the pictures most`);
  terminal.line('token   vector    mass → mass    moved  peak (row, column)');
  for (const latent of latents) {
    for (const line of mapLines(latent)) terminal.line(line);
  }
  const maps = latents.flatMap((latent) => latent.maps);
  const kept = maps.filter(({ peak: [a, b] }) => a.row === b.row && a.column === b.column).length;
  terminal.line(label('peaks'), `the same patch in ${kept} of ${maps.length} maps`);
}

function mapLines({ index, vector, maps }: LatentDifference): string[] {
  return maps.map(({ mass: [before, after], moved, peak: [a, b] }, i) => {
    const place = ({ row, column }: typeof a): string => `${row}, ${column}`;
    const peak = place(a) === place(b) ? place(a) : `${place(a)} → ${place(b)}`;
    const lead = i === 0 ? `${String(index + 1).padStart(5)} ${percent(vector).padStart(8)}` : ' '.repeat(14);
    return `${lead}  ${before.toFixed(4)} → ${after.toFixed(4)} ${percent(moved).padStart(8)}  ${peak}`;
  });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.01 ? 3 : 2)} %`;
}

function nats(value: number): string {
  return `${value.toExponential(1)} nats`;
}

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 160 ? `${line.slice(0, 157)}…` : line;
}
