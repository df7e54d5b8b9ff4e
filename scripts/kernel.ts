/**
 * Compiles the quantisation kernel (AssemblyScript) and writes it as base64 beside its source, so that bundles, tests
 * and scripts all import it as a module. `npm test` compares it with a fresh compilation.
 */

import { readFile, writeFile } from 'node:fs/promises';
import asc from 'assemblyscript/asc';

const SOURCE = 'src/quantise/kernel/kernel.ts';
const MODULE = 'src/quantise/kernel/wasm.ts';

/** The module of base64 that the source gives. @throws Error with the compiler's messages */
export async function compiledKernel(): Promise<string> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [SOURCE, '--enable', 'simd', '--runtime', 'stub', '-O3', '--noAssert', '--outFile', 'kernel.wasm'],
    {
      readFile: (name) => readFile(name, 'utf8').catch(() => null),
      writeFile: (_name, content) => {
        binary = Buffer.from(content);
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined)
    throw new Error(`${SOURCE}: ${error?.message}\n${stderr.toString()}`);
  const base64 = Buffer.from(binary)
    .toString('base64')
    .replaceAll(/.{100}/g, "$&' +\n  '");
  return `/** ./kernel.ts compiled, by scripts/kernel.ts. */\nexport const KERNEL =\n  '${base64}';\n`;
}

if (process.argv[1]?.endsWith('kernel.ts')) await writeFile(MODULE, await compiledKernel());
