/** `ilvr export`: a model, or a run's newest checkpoint, as a Hugging Face folder of the release's layout. */

import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { ExportDtype } from '../checkpoint/exportCheckpoint.ts';
import { newestCheckpoint } from '../train/run/runFolder.ts';
import { EXIT, type CliContext } from './context.ts';

interface ExportCommandOptions {
  dtype: ExportDtype;
  /** Folder of an adapter, or of a run that trained one. */
  merge?: string;
}

const ABOUT = `
The folder is written whole or not at all. One that exists is replaced only if it is an export itself.`;

/** Adds the command. */
export function addExport(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('export')
    .description(
      "write a model as a Hugging Face folder with the release's names, for transformers and others",
    )
    .argument('<model>', "Hugging Face folder of a model, or a training run's folder")
    .argument('<out>', 'folder to write')
    .addOption(
      new Option('--dtype <dtype>', 'number format of the weights')
        .choices(['bfloat16', 'float32'])
        .default('bfloat16'),
    )
    .option('--merge <adapter>', 'merge a LoRA adapter into the weights: its folder, or its training run')
    .addHelpText('after', ABOUT)
    .action(async (model: string, out: string, options: ExportCommandOptions) => {
      finished(await exportModel(context, model, out, options));
    });
}

async function exportModel(
  { terminal, signal }: CliContext,
  model: string,
  out: string,
  { dtype, merge }: ExportCommandOptions,
): Promise<number> {
  // Imported when they are wanted: other commands start without tokenizer and graphs.
  const [{ openCheckpoint }, { exportCheckpoint }] = await Promise.all([
    import('../checkpoint/checkpoint.ts'),
    import('../checkpoint/exportCheckpoint.ts'),
  ]);
  const adapter = merge === undefined ? undefined : await newestCheckpoint(resolve(merge));
  const checkpoint = await openCheckpoint(await newestCheckpoint(resolve(model)), { adapter });
  const { tensors, parameters, merged } = await exportCheckpoint(checkpoint, out, {
    dtype,
    signal,
    onProgress: (tensor, fraction) => terminal.passing(`writing ${tensor}`, fraction),
  });
  terminal.clearProgress();
  const added = adapter === undefined ? '' : `, ${checkpoint.adapter!.name} merged into ${merged}`;
  terminal.line(`${tensors} tensors, ${parameters} parameters in ${dtype}${added}: ${resolve(out)}`);
  return EXIT.ok;
}
