/** Writes .bin files as torch.save does, and as nobody should; made from the formats' documents, not from our reader. */

export interface Entry {
  name: string;
  data: Uint8Array;
  method?: number;
  flags?: number;
  /** The name in the local header, if another. */
  localName?: string;
  /** Put sizes and offset into zip64 fields. */
  wide?: boolean;
}

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

function number(bytes: 2 | 4 | 8, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value));
  else buffer.writeUIntLE(value, 0, bytes);
  return buffer;
}

/** A zip archive of stored entries; with `wide`, its end records are zip64. */
export function zip(entries: Entry[], { wide = false, comment = '' } = {}): Uint8Array {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { name, data, method = 0, flags = 0x808, localName = name } = entry;
    const header = Buffer.concat([
      number(4, 0x04034b50),
      number(2, 20),
      number(2, flags),
      number(2, method),
      Buffer.alloc(16),
      number(2, text(localName).length),
      number(2, 4),
      text(localName),
      text('FB\0\0'),
    ]);
    const extra = entry.wide
      ? Buffer.concat([
          text('XX\u0001\0!'),
          number(2, 1),
          number(2, 24),
          ...[data.length, data.length, offset].map((n) => number(8, n)),
        ])
      : Buffer.alloc(0);
    const small = (value: number): Buffer => number(4, entry.wide ? 0xffffffff : value);
    directory.push(
      Buffer.concat([
        number(4, 0x02014b50),
        number(2, 20),
        number(2, 20),
        number(2, flags),
        number(2, method),
        Buffer.alloc(8),
        small(data.length),
        small(data.length),
        number(2, text(name).length),
        number(2, extra.length),
        Buffer.alloc(10),
        small(offset),
        text(name),
        extra,
      ]),
    );
    files.push(header, Buffer.from(data));
    offset += header.length + data.length;
  }
  const listed = Buffer.concat(directory);
  const end64 = wide
    ? Buffer.concat([
        number(4, 0x06064b50),
        number(8, 44),
        Buffer.alloc(12),
        number(8, entries.length),
        number(8, entries.length),
        number(8, listed.length),
        number(8, offset),
        number(4, 0x07064b50),
        Buffer.alloc(4),
        number(8, offset + listed.length),
        number(4, 1),
      ])
    : Buffer.alloc(0);
  const end = Buffer.concat([
    number(4, 0x06054b50),
    Buffer.alloc(4),
    number(2, wide ? 0xffff : entries.length),
    number(2, wide ? 0xffff : entries.length),
    number(4, wide ? 0xffffffff : listed.length),
    number(4, wide ? 0xffffffff : offset),
    number(2, comment.length),
    text(comment),
  ]);
  return Buffer.concat([...files, listed, end64, end]);
}

/** Pickle instructions (pickletools), protocol 2. */
export const op = {
  text: (value: string): Buffer => Buffer.concat([text('X'), number(4, text(value).length), text(value)]),
  int: (value: number): Buffer => Buffer.concat([text('J'), number(4, value)]),
  global: (module: string, name: string): Buffer => text(`c${module}\n${name}\n`),
  tuple: (...items: Buffer[]): Buffer => Buffer.concat([text('('), ...items, text('t')]),
  call: (callee: Buffer, ...args: Buffer[]): Buffer => Buffer.concat([callee, op.tuple(...args), text('R')]),
  dict: (items: [Buffer, Buffer][]): Buffer => Buffer.concat([text('}('), ...items.flat(), text('u')]),
  raw: text,
};

export const orderedDict = op.call(op.global('collections', 'OrderedDict'));

export function pickle(...body: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), ...body, text('.')]);
}

export interface TorchTensor {
  key: string;
  shape: number[];
  strides?: number[];
  offset?: number;
  /** Elements of the storage. */
  elements: number;
  type?: string;
}

/** The call that makes a tensor. */
export function tensor({
  key,
  shape,
  strides,
  offset = 0,
  elements,
  type = 'FloatStorage',
}: TorchTensor): Buffer {
  const storage = op.tuple(
    op.text('storage'),
    op.global('torch', type),
    op.text(key),
    op.text('cpu'),
    op.int(elements),
  );
  const rowMajor = shape.map((_, i) => shape.slice(i + 1).reduce((product, n) => product * n, 1));
  return op.call(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    Buffer.concat([storage, text('Q')]),
    op.int(offset),
    op.tuple(...shape.map(op.int)),
    op.tuple(...(strides ?? rowMajor).map(op.int)),
    Buffer.from([0x89]),
    orderedDict,
  );
}

/** A whole .bin file: a state_dict over storages. */
export function torchFile(
  tensors: Record<string, TorchTensor>,
  storages: Record<string, Uint8Array>,
  more: { byteorder?: string; wide?: boolean; comment?: string; method?: number } = {},
): Uint8Array {
  const { byteorder = 'little', wide = false, comment = '', method = 0 } = more;
  const items = Object.entries(tensors).map(([name, value]): [Buffer, Buffer] => [
    op.text(name),
    tensor(value),
  ]);
  const entries: Entry[] = [
    { name: 'archive/data.pkl', data: pickle(op.dict(items)), wide },
    { name: 'archive/byteorder', data: text(byteorder), wide },
    ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data, wide, method })),
  ];
  return zip(entries, { wide, comment });
}
