import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/base/errors.ts';
import { checkpointFingerprint } from '../../../src/checkpoint/hash.ts';
import { readStateDict } from '../../../src/checkpoint/formats/pickle.ts';
import { asWeight, readTensor } from '../../../src/checkpoint/formats/safetensors.ts';
import { readTorchTensors } from '../../../src/checkpoint/formats/torchFile.ts';
import { openSafetensors } from '../../../src/checkpoint/formats/tensorFile.ts';
import { openWeights } from '../../../src/checkpoint/weights.ts';
import { golden, haveGoldens } from '../goldens.ts';
import { caseFile, expectUpstreamLogits, haveCases } from '../cases.ts';
import { expectUserError, folderOf, randomSource, safetensors } from '../support.ts';
import { op, orderedDict, pickle, tensor, torchFile, zip, type Entry } from '../torch.ts';

const floats = (...numbers: number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);
const W = { key: '0', shape: [2, 3], elements: 6 };
const DATA = { 0: floats(1, 2, 3, 4, 5, 6) };

async function binOf(bytes: Uint8Array): Promise<string> {
  return path.join(await folderOf({ 'pytorch_model.bin': bytes }), 'pytorch_model.bin');
}

async function values(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const tensors = await readTorchTensors(await binOf(bytes));
  const read = [...tensors].map(async ([name, stored]) => [
    name,
    [...(await readTensor(asWeight(name, stored)))],
  ]);
  return Object.fromEntries(await Promise.all(read)) as Record<string, number[]>;
}

async function refused(bytes: Uint8Array, ...words: string[]): Promise<void> {
  const file = await binOf(bytes);
  await expectUserError(async () => readTorchTensors(file), ...words);
}

describe('a .bin file', () => {
  test.each<[string, object]>([
    ['as torch.save writes it', {}],
    ['with zip64 records, as beyond 4 GB', { wide: true }],
    ['with a comment', { comment: 'PK\u0005\u0006 and more' }],
  ])('%s gives tensors where they lie', async (_, options) => {
    expect(await values(torchFile({ w: W }, DATA, options))).toEqual({ w: [1, 2, 3, 4, 5, 6] });
  });

  test('may share storages, at offsets, and hold scalars, empty tensors and any stride on an axis of 1', async () => {
    const tensors = {
      row: { key: '0', shape: [3], offset: 3, elements: 6 },
      all: W,
      scalar: { key: '0', shape: [], offset: 5, elements: 6 },
      none: { key: '0', shape: [0, 3], elements: 6, strides: [7, 1] },
      thin: { key: '0', shape: [1, 2], strides: [99, 1], elements: 6 },
    };
    expect(await values(torchFile(tensors, DATA))).toEqual({
      row: [4, 5, 6],
      all: [1, 2, 3, 4, 5, 6],
      scalar: [6],
      none: [],
      thin: [1, 2],
    });
  });

  test('may hold half formats and integers, which are no weights', async () => {
    const halves = new Uint8Array([0xc0, 0x3f, 0x00, 0x3e]); // 1.5 as bfloat16 and as float16
    const tensors = {
      b: { key: '0', shape: [1], elements: 1, type: 'BFloat16Storage' },
      h: { key: '1', shape: [1], elements: 1, type: 'HalfStorage' },
      i: { key: '2', shape: [1], elements: 1, type: 'LongStorage' },
    };
    const bytes = torchFile(tensors, { 0: halves.slice(0, 2), 1: halves.slice(2), 2: new Uint8Array(8) });
    const stored = await readTorchTensors(await binOf(bytes));
    expect([...stored.values()].map(({ dtype }) => dtype)).toEqual(['BF16', 'F16', 'I64']);
    for (const name of ['b', 'h'])
      expect([...(await readTensor(asWeight(name, stored.get(name)!)))]).toEqual([1.5]);
  });

  test('may be an OrderedDict with attributes, as of a whole module', () => {
    const state = Buffer.concat([op.dict([[op.text('_metadata'), orderedDict]]), op.raw('b')]);
    const body = [orderedDict, op.raw('('), op.text('w'), tensor(W), op.raw('u'), state];
    expect([...readStateDict(pickle(...body), 'here').keys()]).toEqual(['w']);
  });

  test('may use what newer protocols write for the same', () => {
    const short = (value: string): Buffer =>
      Buffer.concat([Buffer.from([0x8c, value.length]), op.raw(value)]);
    const body = [
      Buffer.from([0x95, 1, 0, 0, 0, 0, 0, 0, 0]), // FRAME
      op.raw('}'),
      Buffer.from([0x94]), // MEMOIZE
      short('w'),
      tensor(W),
      op.raw('s0h\0'), // SETITEM, POP, BINGET 0
    ];
    expect([...readStateDict(pickle(...body), 'here').keys()]).toEqual(['w']);
    const named = [short('collections'), short('OrderedDict'), Buffer.from([0x93]), op.raw(')R')];
    expect(readStateDict(pickle(...named), 'here').size).toBe(0);
  });
});

describe('a .bin file of parameters', () => {
  const call = (module: string, name: string, ...args: Buffer[]): Buffer =>
    op.call(op.global(module, name), ...args);
  const [yes, no] = [Buffer.from([0x88]), Buffer.from([0x89])];
  const state = op.dict([[op.text('tag'), op.text('x')]]);
  const fromType = (made: string, type: Buffer): Buffer =>
    call(
      'torch._tensor',
      '_rebuild_from_type_v2',
      op.global('torch._utils', made),
      type,
      argumentsOf(tensor(W)),
      state,
    );
  // What torch.save of PyTorch 2.15 writes for each, by pickletools.
  const written: [string, Buffer][] = [
    ['a parameter', call('torch._utils', '_rebuild_parameter', tensor(W), yes, orderedDict)],
    ['one without a gradient', call('torch._utils', '_rebuild_parameter', tensor(W), no, orderedDict)],
    [
      'one with attributes',
      call('torch._utils', '_rebuild_parameter_with_state', tensor(W), yes, orderedDict, state),
    ],
    ['a tensor with attributes', fromType('_rebuild_tensor_v2', op.global('torch', 'Tensor'))],
  ];

  test.each(written)('holds %s', (_, made) => {
    const [plain] = readStateDict(pickle(op.dict([[op.text('w'), tensor(W)]])), 'here').values();
    const read = readStateDict(pickle(op.dict([[op.text('w'), made]])), 'here');
    expect(read).toEqual(new Map([['w', plain]]));
  });

  test.each<[string, Buffer, string]>([
    ['a parameter of no tensor', call('torch._utils', '_rebuild_parameter', orderedDict, yes), 'a call of'],
    [
      'a type that is none of a tensor',
      fromType('_rebuild_tensor_v2', op.global('builtins', 'eval')),
      'builtins.eval',
    ],
    [
      'a tensor made in another way',
      fromType('_rebuild_parameter', op.global('torch', 'Tensor')),
      'a call of',
    ],
    ['a type as a tensor', op.global('torch', 'Tensor'), 'names with tensors'],
  ])('is refused for %s', async (_, made, words) => {
    await expectUserError(() => readStateDict(pickle(op.dict([[op.text('w'), made]])), 'here'), words);
  });
});

/** The arguments of a call, without the function in front of them and REDUCE after. */
function argumentsOf(made: Buffer): Buffer {
  return made.subarray(op.global('torch._utils', '_rebuild_tensor_v2').length, -1);
}

test.runIf(haveCases)('the handed .bin file of parameters gives the answers of its model', async () => {
  const name = '21-bin-parameters';
  await expectUpstreamLogits(caseFile(name, 'bin-params'), caseFile(name, 'expected-logits.safetensors'));
});

const loneEntry = (entry: Partial<Entry>): Uint8Array =>
  zip([
    { name: 'a/data.pkl', data: pickle(op.dict([[op.text('w'), tensor(W)]])) },
    { name: 'a/data/0', data: DATA[0], ...entry },
  ]);
const patched = (bytes: Uint8Array, at: number, ...replacement: number[]): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy.set(replacement, at < 0 ? copy.length + at : at);
  return copy;
};
const sound = torchFile({ w: W }, DATA);

describe('a hostile .bin file is refused:', () => {
  test.each<[string, Uint8Array, string[]]>([
    ['empty', new Uint8Array(0), ['end record']],
    ['no archive', new Uint8Array(100), ['end record']],
    ['an archive that is cut', sound.slice(0, -30), ['end record']],
    ['a pickle alone, as before PyTorch 1.6', pickle(op.raw('}')), ['older format', 'save it again']],
    ['a compressed entry', loneEntry({ method: 8 }), ['compressed', 'zip -0']],
    ['an encrypted entry', loneEntry({ flags: 1 }), ['encrypted']],
    ['another name in the local header', loneEntry({ localName: 'a/data/1' }), ['agrees']],
    ['no pickle', zip([{ name: 'a/data/0', data: DATA[0] }]), ['one data.pkl', '0']],
    ['a pickle too deep', zip([{ name: 'a/b/data.pkl', data: pickle(op.raw('}')) }]), ['one data.pkl']],
    ['an entry twice', zip(['a/data.pkl', 'x', 'x'].map((name) => ({ name, data: DATA[0] }))), ['twice']],
    ['more entries than said', patched(sound, -12, 9), ['entries']],
    ['a directory beyond the file', patched(sound, -6, 0xff, 0xff, 0xff, 0x7f), ['a directory before']],
    ['zip64 that is not there', patched(sound, -6, 0xff, 0xff, 0xff, 0xff), ['zip64']],
    ['big-endian numbers', torchFile({ w: W }, DATA, { byteorder: 'big' }), ['byte order', 'big']],
    ['no such storage', torchFile({ w: { ...W, key: '7' } }, DATA), ['data/7']],
    ['a storage from elsewhere', torchFile({ w: { ...W, key: '../../x' } }, DATA), ['data/../../x']],
    ['a storage of another size', torchFile({ w: { ...W, elements: 5 } }, DATA), ['20 bytes', '24']],
    ['a tensor beyond its storage', torchFile({ w: { ...W, offset: 1 } }, DATA), ['at most 6 elements']],
    [
      'a tensor too large to count',
      torchFile({ w: { ...W, shape: [2 ** 30, 2 ** 22, 6] } }, DATA),
      ['at most 6'],
    ],
    ['a transposed tensor', torchFile({ w: { ...W, strides: [1, 2] } }, DATA), ['contiguous', '[1,2]']],
    ['an expanded tensor', torchFile({ w: { ...W, strides: [0, 1] } }, DATA), ['contiguous']],
    ['a strange storage', torchFile({ w: { ...W, type: 'QInt8Storage' } }, DATA), ['QInt8Storage']],
  ])('%s', async (_, bytes, words) => refused(bytes, ...words));

  test('entries that overlap', async () => {
    const bytes = zip([
      { name: 'a/data.pkl', data: pickle(op.raw('}')) },
      { name: 'a/x', data: DATA[0] },
      { name: 'a/y', data: DATA[0] },
    ]);
    const last = Buffer.from(bytes).lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    const first = Buffer.from(bytes).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    const length = patched(bytes, first + 20, 60, 0, 0, 0, 60, 0, 0, 0);
    await refused(length, 'overlaps');
    await refused(patched(bytes, last + 20, 255, 0, 0, 0, 255, 0, 0, 0), 'its end before');
  });

  test.each<[string, Buffer[], string]>([
    ['os.system', [op.call(op.global('os', 'system'), op.text('true'))], 'os.system'],
    ['builtins.eval', [op.call(op.global('builtins', 'eval'), op.text('1'))], 'builtins.eval'],
    ['a name that only ends well', [op.global('evil.torch', 'FloatStorage')], 'evil.torch.FloatStorage'],
    ['a nested name', [op.global('torch.os', 'systemStorage')], 'torch.os.systemStorage'],
    ['another way to make a tensor', [op.global('torch._utils', '_rebuild_parameter')], '_rebuild_parameter'],
    [
      'a storage that is called',
      [op.call(op.global('torch', 'FloatStorage'), op.int(9))],
      'a call of torch.FloatStorage',
    ],
    [
      'an OrderedDict of arguments',
      [op.call(op.global('collections', 'OrderedDict'), op.int(1))],
      'a call of',
    ],
    ['an object (NEWOBJ)', [op.global('collections', 'OrderedDict'), op.raw(')\u0081')], 'instructions'],
    ['numbers for a name', [op.int(1), op.int(2), Buffer.from([0x93])], 'the name of a module'],
    ['an instance (INST)', [op.raw('(ios\nsystem\n')], '0x69'],
    ['an extension code', [Buffer.from([0x82, 1])], '0x82'],
    ['nothing', [], 'a value'],
    ['a number', [op.int(5)], 'dict of tensors'],
    ['a dict of numbers', [op.dict([[op.text('w'), op.int(1)]])], 'names with tensors'],
    [
      'a name twice',
      [
        op.dict([
          [op.text('w'), tensor(W)],
          [op.text('w'), tensor(W)],
        ]),
      ],
      'twice',
    ],
    ['a tuple as a key', [op.dict([[op.tuple(), op.int(1)]])], 'names as keys'],
    ['a key without value', [op.raw('}('), op.text('w'), op.raw('u')], 'keys with values'],
    ['no mark', [op.raw('t')], 'a mark'],
    ['a value from below a mark', [op.raw('}(0')], 'a value'],
    ['an unknown memory', [op.raw('h\u0009')], 'number 9'],
    ['a text beyond the end', [op.raw('X'), Buffer.from([255, 255, 255, 255])], 'more bytes'],
    ['no UTF-8', [op.raw('X'), Buffer.from([1, 0, 0, 0, 0xff])], 'UTF-8'],
    ['a number beyond 2^53', [Buffer.from([0x8a, 8, 255, 255, 255, 255, 255, 255, 255, 127])], '2^53'],
    ['a persistent id that is none', [op.tuple(op.text('storage')), op.raw('Q')], 'a storage'],
    ['more values than a checkpoint has', [Buffer.alloc(2_000_001, ']')], 'at most 2000000 values'],
  ])('a pickle with %s', async (_, body, words) => {
    const bytes = Buffer.concat([pickle(...body).subarray(0, -1), op.raw('.')]);
    await refused(zip([{ name: 'a/data.pkl', data: bytes }]), words);
  });

  test('a pickle without an end, and one of a shape with a hundred axes', async () => {
    await refused(zip([{ name: 'a/data.pkl', data: Buffer.from([0x80, 2]) }]), 'more bytes');
    const shape = Array.from({ length: 100 }, () => 1);
    await refused(torchFile({ w: { key: '0', shape, elements: 6 } }, DATA), 'a shape and strides');
  });
});

/** A sound file with some bytes changed, mostly in its pickle, headers and directory. */
function mutant(random: () => number): Uint8Array {
  const tensors = {
    w: W,
    v: { key: '1', shape: [2], elements: 2 },
    s: { key: '0', shape: [3], offset: 3, elements: 6 },
  };
  const bytes = Uint8Array.from(
    torchFile(
      tensors,
      { ...DATA, 1: floats(7, 8) },
      { wide: random() < 0.3, comment: random() < 0.3 ? 'c' : '' },
    ),
  );
  const telling = Buffer.from('.()}]tuasbRQchqJKMXG0\u0080\u0085\u0089\n', 'latin1');
  for (let i = 0; i <= random() * 3; i++) {
    const at = Math.floor(random() * bytes.length);
    const kind = random();
    if (kind < 0.4) bytes[at] = telling[Math.floor(random() * telling.length)]!;
    else if (kind < 0.7) bytes[at] = bytes[at]! + (random() < 0.5 ? 1 : -1);
    else if (kind < 0.8) bytes[at] = 255;
    else bytes[at] = random() * 256;
  }
  if (random() < 0.1) return bytes.slice(0, random() * bytes.length);
  if (random() > 0.1) return bytes;
  const at = Math.floor(random() * bytes.length);
  return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + Math.ceil(random() * 9))]);
}

test(
  'no mutated .bin file leads to anything but a user error or references inside the file',
  {
    timeout: 600_000,
  },
  async () => {
    const random = randomSource(20261124);
    const file = await binOf(new Uint8Array(0));
    let [accepted, refusals] = [0, 0];
    for (let i = 0; i < Number(process.env['ILVR_FUZZ'] ?? 1000); i++) {
      const bytes = mutant(random);
      await writeFile(file, bytes);
      try {
        for (const { offset, length } of (await readTorchTensors(file)).values()) {
          expect(offset).toBeGreaterThanOrEqual(30);
          expect(offset + length).toBeLessThanOrEqual(bytes.length);
        }
        accepted++;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        refusals++;
      }
    }
    expect(accepted).toBeGreaterThan(0);
    expect(refusals).toBeGreaterThan(0);
  },
);

describe('a folder of .bin files', () => {
  const shard = (name: string, first: number): Uint8Array =>
    torchFile({ [name]: { key: '0', shape: [1], elements: 1 } }, { 0: floats(first) });

  test('may be one file or shards', async () => {
    const one = await openWeights(await folderOf({ 'pytorch_model.bin': shard('w', 1) }), { tied: false });
    expect(one.names).toEqual(['w']);
    const map = {
      w: 'pytorch_model-00001-of-00002.bin',
      'model.visual.v': 'pytorch_model-00002-of-00002.bin',
    };
    const many = await openWeights(
      await folderOf({
        'pytorch_model-00001-of-00002.bin': shard('w', 1),
        'pytorch_model-00002-of-00002.bin': shard('model.visual.v', 2),
        'pytorch_model.bin.index.json': { weight_map: map },
      }),
      { tied: false },
    );
    expect(many.names).toEqual(['visual.v', 'w']);
    expect([...(await readTensor(many.get('visual.v', [1])))]).toEqual([2]);
  });

  test('is not looked at beside safetensors', async () => {
    const stored = safetensors({ x: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4);
    const folder = await folderOf({ 'pytorch_model.bin': shard('w', 1), 'model.safetensors': stored });
    expect((await openWeights(folder, { tied: false })).names).toEqual(['x']);
  });

  test('has shards of its own kind only', async () => {
    const index = { 'pytorch_model.bin.index.json': { weight_map: { w: 'model.safetensors' } } };
    await expectUserError(async () => openWeights(await folderOf(index), { tied: false }), 'a .bin file');
  });

  test('is identified without reading its tensors', async () => {
    const identity = async (bytes: Uint8Array): Promise<string> => {
      const folder = await folderOf({ 'config.json': {}, 'pytorch_model.bin': bytes });
      return checkpointFingerprint({ folder, weightFiles: [path.join(folder, 'pytorch_model.bin')] });
    };
    expect(await identity(shard('w', 1))).toBe(await identity(shard('w', 1)));
    expect(await identity(shard('w', 1))).not.toBe(await identity(shard('v', 1)));
  });
});

describe.skipIf(!haveGoldens)('the reference checkpoint in .bin shards', () => {
  test('holds the weights of flat, byte by byte', async () => {
    const [flat, bin] = await Promise.all(
      ['flat', 'bin'].map(async (name) => openWeights(golden(name), { tied: false })),
    );
    expect(bin!.names).toEqual(flat!.names);
    expect(bin!.files.length).toBe(6);
    expect(bin!.parameterCount).toBe(flat!.parameterCount);
    const shapes = await readShapes();
    for (const name of flat!.names) {
      const shape = shapes[name]!;
      const [a, b] = await Promise.all([
        readTensor(flat!.get(name, shape)),
        readTensor(bin!.get(name, shape)),
      ]);
      expect(Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)), name).toBe(0);
    }
  });
});

async function readShapes(): Promise<Record<string, number[]>> {
  const file = await openSafetensors(golden('flat', 'model.safetensors'));
  return Object.fromEntries(file.names.map((name) => [name, file.info(name).shape]));
}
