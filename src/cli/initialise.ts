/** `ilvr initialise`: a checkpoint of random weights from a description, for training from scratch. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { folderOfModel } from '../files/bundledModels.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer } from './options.ts';

/** Adds the command. */
export function addInitialise(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('initialise')
    .description('give a described model random weights, to train it from scratch')
    .argument('<description>', 'folder with config, tokenizer, template and processor, without weights')
    .argument('<out>', 'folder to write')
    .option('--seed <n>', 'other seeds give other weights', integer('a seed', 0), 0)
    .option('--tower <model>', 'take the vision tower of this model (a folder, or bundled:NAME)')
    .action(async (description: string, out: string, { seed, tower }: { seed: number; tower?: string }) => {
      // Imported when it is wanted: it loads the runtime into this process.
      const { initialise } = await import('../train/base/initialise.ts');
      await initialise(
        resolve(description),
        resolve(out),
        seed,
        tower === undefined ? undefined : folderOfModel(context.models, tower),
      );
      context.terminal.line(`Wrote ${resolve(out)}`);
      finished(EXIT.ok);
    });
}
