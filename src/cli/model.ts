/** `ilvr model`: what a checkpoint is, and what it takes in each format of its weights, without opening it. */

import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { folderOfModel } from '../files/bundledModels.ts';
import type { Size } from '../model/memory.ts';
import { availableMemory, inBytes } from '../process/memory.ts';
import { DEVICE_FACTS, DEVICES, type Device } from '../tensor/device.ts';
import { describeProtocol } from '../trace/protocolWords.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer } from './options.ts';
import { label } from './terminal.ts';

interface ModelCommandOptions {
  adapter?: string;
  device: Device;
  picture: Size[];
  textTokens?: number;
  latents?: number;
}

/** Adds the command. */
export function addModel(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('model')
    .description("tell what a model is, and whether it fits into this machine's memory")
    .argument('[dir]', 'Hugging Face folder of the model (default: the bundled one)')
    .option('--adapter <dir>', 'folder of a LoRA adapter to apply to it')
    .addOption(new Option('--device <device>', 'where it is to run').choices(DEVICES).default('cpu'))
    .addOption(
      new Option('--picture <size>', 'such as 1920x1080; may be given several times')
        .argParser(sizes)
        .default([], '1024x1024'),
    )
    .option('--text-tokens <n>', 'question and answer together', integer('a number of tokens', 1))
    .option('--latents <n>', 'latents whose attention is kept', integer('a number of latents', 0))
    .action(async (folder: string | undefined, options: ModelCommandOptions) => {
      finished(await describeModel(context, folder, options));
    });
}

async function describeModel(
  { terminal, models }: CliContext,
  folder: string | undefined,
  { adapter, device, picture, textTokens, latents }: ModelCommandOptions,
): Promise<number> {
  // Imported when they are wanted: other commands start without tokenizer and graphs.
  const [
    { openCheckpoint },
    { needsByFormat, parametersLabel, planMemory, planTable, USUAL },
    { largestWeight },
  ] = await Promise.all([
    import('../checkpoint/checkpoint.ts'),
    import('../inference/plan.ts'),
    import('../inference/deviceLimits.ts'),
  ]);
  const where = folderOfModel(models, folder);
  const checkpoint = await openCheckpoint(where, {
    ...(adapter !== undefined && { adapter: resolve(adapter) }),
  });
  const { config, processor, dtype, parameterCount } = checkpoint;
  const free = availableMemory();
  const workload = {
    pictures: picture.length > 0 ? picture : USUAL.pictures,
    textTokens: textTokens ?? USUAL.textTokens,
    latents: latents ?? USUAL.latents,
  };
  const { text } = config;
  terminal.line(label('model'), `${config.architecture} · ${parametersLabel(parameterCount)} · ${dtype}`);
  terminal.line(label('layers'), `${text.layers} · ${text.heads} heads · hidden size ${text.hiddenSize}`);
  terminal.line(label('latents'), config.protocol ? describeProtocol(config.protocol) : 'none');
  for (const note of checkpoint.notes) terminal.line(label('note'), note);
  const sizesText = workload.pictures.map(({ width, height }) => `${width} × ${height}`).join(', ');
  terminal.line(
    label('run'),
    `pictures ${sizesText} · ${workload.textTokens} tokens of text · ${workload.latents} latents kept`,
  );
  const context = { config, processor, parameterCount, provider: device, free, workload };
  try {
    const plan = planMemory(context, 'auto', where);
    terminal.line(label('chosen'), plan.reason);
    for (const row of planTable(plan, device)) terminal.line(row);
    const { ownMemory, formats } = DEVICE_FACTS[device];
    if (!ownMemory) return EXIT.ok;
    const largest = formats.map((format) => `${inBytes(largestWeight(config, format).bytes)} in ${format}`);
    terminal.line(
      label('largest'),
      `${largestWeight(config, plan.chosen).name}: ${largest.join(', ')}; a single buffer of the GPU has to hold it`,
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    terminal.line(label('free'), inBytes(free));
    for (const row of planTable({ formats: needsByFormat(context), free }, device)) terminal.line(row);
    throw error;
  }
}

function sizes(text: string, earlier: Size[]): Size[] {
  const match = /^(\d{1,5})[x×](\d{1,5})$/.exec(text);
  const [width, height] = [Number(match?.[1]), Number(match?.[2])];
  if (width > 0 && height > 0) return [...earlier, { width, height }];
  throw new InvalidArgumentError('Expected a width and a height in pixels, such as 1920x1080.');
}
