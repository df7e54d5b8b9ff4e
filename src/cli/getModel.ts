/** `ilvr get-model`: a checkpoint from the Hugging Face hub, or a mirror of it, into a folder. */

import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import type { GetModelOptions } from './fetchModel.ts';

const ABOUT = `
Only what a checkpoint needs is fetched, checked against the hub's checksums, and nothing without this command.
What has come is kept whatever ends the command; the same command goes on with it. Without --to, a whole copy in
the Hugging Face cache is named instead of fetched again; with it, what the cache has is copied.

HF_ENDPOINT names a mirror. A model that asks who you are gets the token of HF_TOKEN, or of "hf auth login".`;

/** Adds the command. */
export function addGetModel(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('get-model')
    .description('get a model, or a LoRA adapter, from the Hugging Face hub')
    .argument('<repository>', 'owner/name, such as Qwen/Qwen2.5-VL-3B-Instruct')
    .option('--to <dir>', "folder to get it into (default: the model's name, in the current folder)")
    .option('--revision <revision>', 'branch, tag or commit', 'main')
    .addHelpText('after', ABOUT)
    .action(async (repository: string, options: GetModelOptions) => {
      // Imported when it is wanted: other commands start without the library.
      const { getModel } = await import('./fetchModel.ts');
      finished(await getModel(context, repository, options));
    });
}
