/** `ilvr cuda`: what CUDA takes, what of it is here, and where the rest comes from. It fetches nothing. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { missingLibraries, PROVIDER_FILES, runtimeFolder, sourceOf } from '../process/cudaFiles.ts';
import { notHere, tryDevice } from '../process/gpuProbe.ts';
import { EXIT, type CliContext } from './context.ts';
import { label } from './terminal.ts';

/** The runtime's own installer writes the files beside its library; they stand in a package of NuGet's. */
const INSTALL = 'ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js';

/** Adds the command. */
export function addCuda(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('cuda')
    .description('tell which of the files that CUDA takes are here, and where the others come from')
    .action(async () => {
      finished(await describeCuda(context));
    });
}

async function describeCuda({ terminal, enginePath }: CliContext): Promise<number> {
  const folder = runtimeFolder(enginePath);
  terminal.line(label('folder'), folder);
  for (const name of PROVIDER_FILES)
    terminal.line(label('provider'), `${name}: ${existsSync(join(folder, name)) ? 'here' : 'missing'}`);
  const absent = notHere('cuda', enginePath);
  if (absent !== undefined) {
    terminal.line(label('CUDA'), `cannot be used: ${absent}`);
    if (process.platform === 'linux' && process.arch === 'x64') tellSource(terminal);
    return EXIT.failed;
  }
  for (const name of missingLibraries(folder) ?? [])
    terminal.line(label('library'), `${name}: missing, install ${sourceOf(name)}`);
  const { works, detail } = await tryDevice(enginePath, 'cuda');
  terminal.line(label('CUDA'), `${works ? 'works' : 'does not work'}: ${detail}`);
  return works ? EXIT.ok : EXIT.failed;
}

function tellSource(terminal: CliContext['terminal']): void {
  terminal.line(
    label('source'),
    "api.nuget.org, Microsoft.ML.OnnxRuntime.Gpu.Linux, by the runtime's own installer:",
  );
  terminal.line(label(''), INSTALL);
  terminal.line(
    label('size'),
    '272 MB here for the provider (measured of version 1.30 on PyPI); CUDA itself comes beside it',
  );
}
