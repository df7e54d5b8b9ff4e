/**
 * Compiles the quantisation kernel (AssemblyScript) and writes it as base64 beside its source, so that bundles, tests
 * and scripts all import it as a module. A test compares it with a fresh compilation.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const COMPILER = 'node_modules/assemblyscript/bin/asc.js';
const SOURCE = 'src/quantise/kernel/kernel.ts';
const MODULE = 'src/quantise/kernel/wasm.ts';

/** The module of base64 that the source gives. @throws Error with the compiler's messages */
export async function compiledKernel(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ilvr-kernel-'));
  const out = join(folder, 'kernel.wasm');
  try {
    const options = ['--enable', 'simd', '--runtime', 'stub', '-O3', '--noAssert', '--outFile', out];
    await promisify(execFile)(process.execPath, [COMPILER, SOURCE, ...options]);
    const base64 = (await readFile(out)).toString('base64').replaceAll(/.{100}/g, "$&' +\n  '");
    return `/** ./kernel.ts compiled, by scripts/kernel.ts. */\nexport const KERNEL =\n  '${base64}';\n`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv[1]?.endsWith('kernel.ts')) await writeFile(MODULE, await compiledKernel());
