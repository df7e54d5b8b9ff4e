import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSafetensors } from '../../../src/checkpoint/formats/tensorFile.ts';
import {
  toBFloat16,
  writeSafetensors,
  type TensorSource,
} from '../../../src/checkpoint/formats/writeSafetensors.ts';
import { temporaryFolder } from '../../fixtures/cli.ts';
import { readTensors } from '../../fixtures/safetensors.ts';

const folder = temporaryFolder();
const MATRIX: TensorSource = {
  name: 'a.weight',
  shape: [2, 3],
  read: () => new Float32Array([1, -2.5, 3e-40, Infinity, 0.1, 6]),
};
const SCALAR: TensorSource = { name: 'ünï', shape: [], read: async () => new Float32Array([7]) };

describe('writeSafetensors', () => {
  it('writes what our reader and an independent one read back', async () => {
    const file = join(folder, 'both.safetensors');
    await writeSafetensors(file, [MATRIX, SCALAR]);
    const opened = await openSafetensors(file);
    expect(opened.names).toEqual(['a.weight', 'ünï']);
    expect(opened.info('a.weight')).toEqual({ dtype: 'F32', shape: [2, 3] });
    expect(await opened.float32('a.weight')).toEqual(MATRIX.read());
    expect(readTensors(file).get('ünï')).toEqual({ shape: [], data: new Float32Array([7]) });
  });

  it('aligns the data to 8 bytes with spaces', async () => {
    for (const name of ['a', 'ab', 'abcdefg']) {
      const file = join(folder, 'aligned.safetensors');
      await writeSafetensors(file, [{ ...MATRIX, name }]);
      const bytes = readFileSync(file);
      const length = Number(bytes.readBigUInt64LE(0));
      expect(length % 8).toBe(0);
      expect(bytes.toString('utf8', 8, 8 + length)).toMatch(/^\{.*\} *$/);
    }
  });

  it('writes views of a larger array, and no tensors at all', async () => {
    const file = join(folder, 'view.safetensors');
    const all = new Float32Array([0, 1, 2, 3]);
    await writeSafetensors(file, [{ name: 'view', shape: [2], read: () => all.subarray(1, 3) }]);
    expect(readTensors(file).get('view')!.data).toEqual(new Float32Array([1, 2]));
    await writeSafetensors(file, []);
    expect(readTensors(file).size).toBe(0);
  });

  it('leaves the file as it was when a tensor cannot be read, and no temporary file', async () => {
    const file = join(folder, 'kept.safetensors');
    await writeSafetensors(file, [MATRIX]);
    const before = readFileSync(file);
    const broken = { ...SCALAR, read: () => Promise.reject(new Error('gone')) };
    await expect(writeSafetensors(file, [MATRIX, broken])).rejects.toThrow('gone');
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('a folder that is none is a clear error', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(writeSafetensors(join(folder, 'file', 'x'), [MATRIX])).rejects.toThrow(/^cannot write: /);
  });
});

it('bfloat16 is rounded to nearest, ties to even, and NaN stays NaN', () => {
  const bits = (words: number[]): Float32Array => new Float32Array(new Uint32Array(words).buffer);
  const rounded = toBFloat16(
    bits([0x3f800000, 0x3f807fff, 0x3f808000, 0x3f808001, 0x3f818000, 0x7f7fffff, 0x7f800001, 0xff800000]),
  );
  expect([...rounded]).toEqual([0x3f80, 0x3f80, 0x3f80, 0x3f81, 0x3f82, 0x7f80, 0x7fc0, 0xff80]);
});
