import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/base/errors.ts';
import { duplicateKey } from '../../../src/checkpoint/formats/duplicateKeys.ts';
import { asWeight, readStoredTensors, readTensor } from '../../../src/checkpoint/formats/safetensors.ts';
import { openSafetensors } from '../../../src/checkpoint/formats/tensorFile.ts';
import { expectUserError, fileOf, randomSource, safetensors } from '../support.ts';

const entry = (dtype: string, shape: unknown, ...data_offsets: unknown[]): object => ({
  dtype,
  shape,
  data_offsets,
});

async function refused(bytes: Uint8Array, ...words: string[]): Promise<void> {
  const file = await fileOf(bytes);
  await expectUserError(async () => readStoredTensors(file), ...words);
}

describe('a sound file', () => {
  test('gives absolute offsets', async () => {
    const bytes = safetensors(
      { __metadata__: { format: 'pt' }, a: entry('F32', [2], 0, 8), b: entry('BF16', [1, 2], 8, 12) },
      12,
    );
    const refs = await readStoredTensors(await fileOf(bytes));
    const start = bytes.length - 12;
    expect(refs.get('a')).toMatchObject({ offset: start, length: 8, dtype: 'F32', shape: [2] });
    expect(refs.get('b')).toMatchObject({ offset: start + 8, length: 4, dtype: 'BF16', shape: [1, 2] });
    expect(refs.size).toBe(2);
  });

  test('gives float32 from each weight dtype', async () => {
    const data = new Uint8Array([0, 0, 0xc0, 0x3f, 0xc0, 0x3f, 0x00, 0x3e]); // 1.5 three times
    const header = { a: entry('F32', [1], 0, 4), b: entry('BF16', [1], 4, 6), c: entry('F16', [1], 6, 8) };
    const refs = await readStoredTensors(await fileOf(safetensors(header, data)));
    for (const [name, ref] of refs) expect([...(await readTensor(asWeight(name, ref)))]).toEqual([1.5]);
  });

  test('may hold scalars, empty tensors and a name like __proto__', async () => {
    const header = `{"__proto__":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}}`;
    const refs = await readStoredTensors(await fileOf(safetensors(header, 4)));
    expect([...refs.keys()]).toEqual(['__proto__', 'e']);
  });

  test('gives integers and bytes by name, but not as weights', async () => {
    const data = new Uint8Array(new BigInt64Array([-5n, 7n]).buffer);
    const file = await fileOf(safetensors({ ids: entry('I64', [2], 0, 16) }, data));
    const tensors = await openSafetensors(file);
    expect(await tensors.int64('ids')).toEqual([-5, 7]);
    expect((await tensors.bytes('ids')).length).toBe(16);
    for (const [name, ref] of await readStoredTensors(file))
      await expectUserError(() => asWeight(name, ref), name, 'F32, F16 or BF16');
    await expectUserError(async () => tensors.float32('ids'), 'I64', 'F32, F16 or BF16');
    await expectUserError(async () => tensors.float32('other'), 'no tensor other');
  });
});

describe('a hostile file is refused:', () => {
  const f32 = (shape: unknown, ...offsets: unknown[]): object => ({ a: entry('F32', shape, ...offsets) });
  test.each<[string, Uint8Array, string]>([
    ['empty', new Uint8Array(0), 'cut short'],
    ['seven bytes', new Uint8Array(7), 'cut short'],
    ['a header of 2 GB', safetensors('{}', 0, 2_000_000_000n), '2000000000 bytes'],
    ['a header of 2^64 - 1 bytes', safetensors('{}', 0, 2n ** 64n - 1n), '18446744073709551615'],
    ['a header beyond the file', safetensors('{}', 0, 1000n), 'cut short'],
    ['no JSON', safetensors('{"a":', 0), 'JSON'],
    ['no UTF-8', safetensors('{}', 0).map((byte, i) => (i === 8 ? 0xff : byte)), 'JSON'],
    ['a list', safetensors('[]', 0), 'JSON object'],
    ['null', safetensors('null', 0), 'JSON object'],
    ['a tensor that is null', safetensors({ a: null }, 0), 'data_offsets'],
    ['an unknown dtype', safetensors({ a: entry('F33', [1], 0, 4) }, 4), 'F33'],
    ['a dtype from the prototype', safetensors({ a: entry('constructor', [1], 0, 4) }, 4), 'constructor'],
    ['offsets backwards', safetensors(f32([1], 4, 0), 4), 'data_offsets'],
    ['negative offsets', safetensors(f32([1], -4, 0), 4), '-4'],
    ['fractional shape', safetensors(f32([0.5], 0, 2), 2), '0.5'],
    ['a shape beyond the exact integers', safetensors(f32([2 ** 52, 2 ** 52], 0, 4), 4), 'too many'],
    ['shape against length', safetensors(f32([2], 0, 4), 4), '8 bytes'],
    ['offsets past the end', safetensors(f32([4], 0, 16), 8), 'cut short'],
    ['a gap', safetensors({ a: entry('U8', [1], 0, 1), b: entry('U8', [1], 2, 3) }, 3), 'gap'],
    ['an overlap', safetensors({ a: entry('U8', [2], 0, 2), b: entry('U8', [2], 1, 3) }, 3), 'overlaps'],
    ['bytes left over', safetensors(f32([1], 0, 4), 5), 'end at byte'],
    [
      'a name twice',
      safetensors(
        '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}',
        1,
      ),
      'twice',
    ],
  ])('%s', async (_, bytes, words) => refused(bytes, words));

  test('a folder in its place', async () => {
    await expectUserError(async () => readStoredTensors(import.meta.dirname), 'a folder');
  });

  test('a file that shrinks after its header was read', async () => {
    const bytes = safetensors(f32([2], 0, 8), 8);
    const file = await fileOf(bytes);
    const ref = asWeight('a', (await readStoredTensors(file)).get('a')!);
    await writeFile(file, bytes.slice(0, -1));
    await expectUserError(async () => readTensor(ref), 'cut short');
  });
});

test.each([
  ['{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]}', undefined],
  ['{"a":{"x":1,"x":2}}', 'x'],
  ['{"a\\"":1,"b":"a\\"","a\\"":2}', 'a"'],
  ['{"k":":","v":"{}"}', undefined],
])('duplicate key of %s: %s', (json, key) => {
  expect(duplicateKey(json)).toBe(key);
});

/** A sound file of a few tensors with one to four bytes changed, or cut, or lengthened. */
function mutant(random: () => number): Uint8Array {
  const header = {
    w: entry('F32', [4, 2], 0, 32),
    'x.bias': entry('BF16', [3], 32, 38),
    n: entry('I64', [1], 38, 46),
  };
  const bytes = safetensors({ __metadata__: { format: 'pt' }, ...header }, 46);
  const digits = '0123456789-,.eE"[]{}: '; // more telling in a header than any byte
  for (let i = 0; i <= random() * 4; i++) {
    const at = Math.floor(random() * (bytes.length - 40));
    bytes[at] = random() < 0.6 ? digits.charCodeAt(Math.floor(random() * digits.length)) : random() * 256;
  }
  const kind = random();
  if (kind < 0.1) return bytes.slice(0, Math.floor(random() * bytes.length));
  return kind < 0.2 ? Uint8Array.from([...bytes, 1, 2, 3]) : bytes;
}

test(
  'no mutated header leads to anything but a user error or references inside the file',
  { timeout: 600_000 },
  async () => {
    const random = randomSource(20261123);
    const file = await fileOf(new Uint8Array(0));
    let accepted = 0;
    for (let i = 0; i < Number(process.env['ILVR_FUZZ'] ?? 1000); i++) {
      const bytes = mutant(random);
      await writeFile(file, bytes);
      try {
        for (const ref of (await readStoredTensors(file)).values()) {
          expect(ref.offset).toBeGreaterThanOrEqual(8);
          expect(ref.offset + ref.length).toBeLessThanOrEqual(bytes.length);
        }
        accepted++;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }
    expect(accepted).toBeGreaterThan(0); // else the mutations break everything and test nothing
  },
);
