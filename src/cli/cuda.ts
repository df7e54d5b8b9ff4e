/** `ilvr cuda`: what CUDA takes, and what of it is here; `--fetch` gets what is missing, nothing else does. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../base/errors.ts';
import {
  isFoundElsewhere,
  missingLibraries,
  PROVIDER_FILES,
  runtimeFolder,
  sourceOf,
} from '../process/cudaFiles.ts';
import { tryDevice } from '../process/gpuProbe.ts';
import { inBytes } from '../process/memory.ts';
import { deviceLabel, DEVICES, isOffered } from '../tensor/device.ts';
import { EXIT, type CliContext } from './context.ts';
import { label } from './terminal.ts';

const ABOUT = `
The files come from PyPI: the runtime's CUDA provider, and NVIDIA's libraries that the system does not
have. They are checked against checksums that stand in this program and lie beside the runtime's library, whose folder is
printed. The GPU's driver is the system's. What has come is kept whatever ends the command; the same command goes on with it.`;

/** Adds the command. */
export function addCuda(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('cuda')
    .description('tell which of the files that CUDA takes are here, and get the others')
    .option('--fetch', 'get what is missing; without it the command says how much that is')
    .addHelpText('after', ABOUT)
    .action(async ({ fetch = false }: { fetch?: boolean }) => {
      finished(await cuda(context, fetch));
    });
}

async function cuda(context: CliContext, fetch: boolean): Promise<number> {
  const { terminal, enginePath } = context;
  const system = `${process.platform}-${process.arch}`;
  if (!isOffered('cuda', system)) {
    const others = DEVICES.filter((device) => device !== 'cuda' && isOffered(device, system)).map(
      deviceLabel,
    );
    throw new UserError({
      problem: 'The runtime has CUDA for Linux on x64 only',
      found: system,
      remedy: `Use ${others.join(' or ')}.`,
    });
  }
  const folder = runtimeFolder(enginePath);
  terminal.line(label('folder'), folder);
  await offer(context, folder, fetch);
  for (const name of PROVIDER_FILES)
    terminal.line(label('provider'), `${name}: ${existsSync(join(folder, name)) ? 'here' : 'missing'}`);
  for (const name of missingLibraries(folder) ?? [])
    terminal.line(label('library'), `${name}: missing, install ${sourceOf(name)}`);
  const { works, detail } = await tryDevice(enginePath, 'cuda');
  terminal.line(label('CUDA'), `${works ? 'works' : 'does not work'}: ${detail}`);
  return works ? EXIT.ok : EXIT.failed;
}

/** Says what getting the rest takes, and gets it on wish. */
async function offer({ terminal, signal }: CliContext, folder: string, fetch: boolean): Promise<void> {
  // Imported when it is wanted: other commands start without the hub.
  const { fetchCuda, offerCuda } = await import('../hub/getCuda.ts');
  const found = await offerCuda(folder, isFoundElsewhere);
  if (found.parts.length === 0) return;
  const { parts, fetched, kept, free } = found;
  terminal.line(
    label('to fetch'),
    parts.map(({ title, bytes }) => `${title} (${inBytes(bytes)})`).join(', '),
  );
  terminal.line(
    label('size'),
    `${inBytes(fetched)} from PyPI, ${inBytes(kept)} kept; ${inBytes(free)} free on the disk`,
  );
  if (!fetch) {
    terminal.line(label('next'), '`ilvr cuda --fetch` gets them');
    return;
  }
  let last = '';
  await fetchCuda(found, folder, { signal }, ({ file, done, total }) => {
    const message = `${file} · ${inBytes(done)} of ${inBytes(total)}`;
    if (file !== last) terminal.progress(message, done / total);
    else terminal.passing(message, done / total);
    last = file;
  });
  terminal.clearProgress();
}
