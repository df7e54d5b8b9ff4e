import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cudaTrouble, PROVIDER_FILES, runtimeFolder } from '../../src/process/cudaFiles.ts';
import { requireDevice, tryDevice } from '../../src/process/gpuProbe.ts';
import { engineBundle as ENGINE, repository } from '../fixtures/paths.ts';

const isThere = existsSync(ENGINE) && process.platform === 'linux' && process.arch === 'x64';

/** As onnxruntime 1.30 says it, taken from a run with the provider of PyPI's onnxruntime-gpu 1.30.0 and no CUDA. */
const NO_CUBLAS =
  '[ONNXRuntimeError] : 1 : FAIL : Failed to load library /somebody/libonnxruntime_providers_cuda.so with error: ' +
  'libcublasLt.so.13: cannot open shared object file: No such file or directory';

it('a library that CUDA lacks is named, with what brings it', () => {
  expect(cudaTrouble(NO_CUBLAS)).toBe(
    "libcublasLt.so.13 is missing: install NVIDIA's CUDA 13 libraries, or name their folder in LD_LIBRARY_PATH",
  );
  expect(cudaTrouble(NO_CUBLAS.replace('libcublasLt.so.13', 'libcuda.so.1'))).toBe(
    "libcuda.so.1 is missing: install NVIDIA's driver",
  );
  expect(cudaTrouble('CUDA failure 100: no CUDA-capable device is detected')).toBeUndefined();
});

it.runIf(isThere && !PROVIDER_FILES.some((name) => existsSync(join(runtimeFolder(ENGINE), name))))(
  "CUDA without the runtime's provider is refused before a process starts, with the files' names",
  async () => {
    const { works, detail } = await tryDevice(ENGINE, 'cuda', { patience: 0 });
    expect(works).toBe(false);
    expect(detail).toContain('libonnxruntime_providers_cuda.so');
    await expect(requireDevice(ENGINE, 'cuda')).rejects.toThrow(/CUDA cannot be used/);
  },
);

it('a device of another system is not tried', async () => {
  const other = process.platform === 'win32' ? 'coreml' : 'dml';
  expect((await tryDevice(ENGINE, other, { patience: 0 })).detail).toMatch(/the runtime has .* for .* only/);
});

describe.runIf(isThere)('beside a copy of the runtime', () => {
  const root = mkdtempSync(join(tmpdir(), 'ilvr-cuda-'));
  const engine = join(root, 'dist/engine.cjs');
  beforeAll(() => {
    mkdirSync(join(root, 'dist'));
    mkdirSync(join(root, 'node_modules'));
    cpSync(ENGINE, engine);
    cpSync(join(repository, 'node_modules/onnxruntime-node'), join(root, 'node_modules/onnxruntime-node'), {
      recursive: true,
    });
    for (const name of ['onnxruntime-common', 'sharp'])
      symlinkSync(join(repository, 'node_modules', name), join(root, 'node_modules', name));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it('a provider that is no library is told as damaged, without the path to it', async () => {
    for (const name of PROVIDER_FILES) writeFileSync(join(runtimeFolder(engine), name), 'not a library');
    const { works, detail } = await tryDevice(engine, 'cuda');
    expect(works).toBe(false);
    expect(detail).toMatch(
      /^libonnxruntime_providers_\w+\.so is damaged \(.+\): install the runtime's CUDA provider again$/,
    );
  });
});
