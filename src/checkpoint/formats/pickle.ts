/**
 * The part of Python's pickle format that a saved state_dict needs (opcodes: pickletools.py). A pickle is a
 * program that may call anything; this interpreter calls nothing. It knows what a few names stand for, and
 * refuses every other by name.
 */
import { UserError } from '../../base/errors.ts';
import { show } from '../json.ts';

/** A storage: one entry of the archive. */
export interface StorageId {
  kind: 'storage';
  /** Name of the class, "FloatStorage". */
  type: string;
  key: string;
  elements: number;
}

/** What `torch._utils._rebuild_tensor_v2` would make; shape and strides in elements. */
export interface PickledTensor {
  kind: 'tensor';
  storage: StorageId;
  offset: number;
  shape: number[];
  strides: number[];
}

interface Global {
  kind: 'global';
  name: string;
}

interface Tuple {
  kind: 'tuple';
  items: Value[];
}

interface List {
  kind: 'list';
  items: Value[];
}

interface Dict {
  kind: 'dict';
  entries: Map<string | number, Value>;
}

type Value = string | number | boolean | null | Tuple | List | Dict | Global | StorageId | PickledTensor;

/** A tensor takes about 25 values, so this is far beyond any checkpoint, and 0.5 GB at the very worst. */
const MAX_VALUES = 2_000_000;
/** PyTorch's own bound on the number of axes. */
const MAX_AXES = 64;

const REBUILD = 'torch._utils._rebuild_tensor_v2';
/** Make a parameter of a tensor, their first argument. */
const PARAMETERS = ['torch._utils._rebuild_parameter', 'torch._utils._rebuild_parameter_with_state'];
/** Makes a tensor with attributes: how, as what type, with which arguments, and the attributes. */
const FROM_TYPE = 'torch._tensor._rebuild_from_type_v2';
const TYPES = ['torch.Tensor', 'torch.nn.parameter.Parameter', 'torch.nn.parameter.Buffer'];
const ORDERED_DICT = 'collections.OrderedDict';
const STORAGE = /^torch\.([A-Z][A-Za-z0-9]*Storage)$/;
const KNOWN = new Set([REBUILD, ...PARAMETERS, FROM_TYPE, ...TYPES, ORDERED_DICT]);

/**
 * The tensors of a pickled state_dict by name.
 * @throws UserError for any other content, naming what it asks for
 */
export function readStateDict(bytes: Uint8Array, where: string): Map<string, PickledTensor> {
  const result = new Interpreter(bytes, where).run();
  if (!isKind(result, 'dict')) throw refuse('a dict of tensors', describe(result), where);
  const tensors = new Map<string, PickledTensor>();
  for (const [name, value] of result.entries) {
    if (typeof name !== 'string' || !isKind(value, 'tensor'))
      throw refuse('names with tensors', `${show(name)} with ${describe(value)}`, where);
    tensors.set(name, value);
  }
  return tensors;
}

class Interpreter {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly where: string;
  private at = 0;
  /** Values pushed so far, those that are gone included. */
  private made = 0;
  private readonly stack: Value[] = [];
  /** Heights of the stack at each open mark. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, Value>();

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.where = where;
  }

  run(): Value {
    for (;;) {
      const opcode = this.byte();
      if (opcode === STOP) return this.pop();
      const operation = OPERATIONS[String.fromCharCode(opcode)];
      if (operation === undefined) {
        throw this.refuse('instructions of a state_dict', `0x${opcode.toString(16)} at byte ${this.at - 1}`);
      }
      operation(this);
    }
  }

  push(value: Value): void {
    if (++this.made > MAX_VALUES) throw this.refuse(`at most ${MAX_VALUES} values`, 'more');
    this.stack.push(value);
  }

  pop(): Value {
    const floor = this.marks.at(-1) ?? 0;
    if (this.stack.length <= floor) throw this.refuse('a value', `an empty stack at byte ${this.at}`);
    return this.stack.pop()!;
  }

  mark(): void {
    if (this.marks.length >= MAX_VALUES) throw this.refuse(`at most ${MAX_VALUES} marks`, 'more');
    this.marks.push(this.stack.length);
  }

  /** The values above the last mark, which is closed. */
  popToMark(): Value[] {
    const height = this.marks.pop();
    if (height === undefined) throw this.refuse('a mark', `none at byte ${this.at}`);
    return this.stack.splice(height);
  }

  popMany(count: number): Value[] {
    return Array.from({ length: count }, () => this.pop()).toReversed();
  }

  /** The value on top, which stays there. */
  top<K extends Kind>(...kinds: K[]): Extract<Value, { kind: K }> {
    const value = this.pop();
    this.stack.push(value);
    if (!kinds.some((kind) => isKind(value, kind))) throw this.refuse(kinds.join(' or '), describe(value));
    return value as Extract<Value, { kind: K }>;
  }

  put(index: number): void {
    if (this.memo.size >= MAX_VALUES) throw this.refuse(`at most ${MAX_VALUES} remembered values`, 'more');
    const value = this.pop();
    this.stack.push(value);
    this.memo.set(index, value);
  }

  memoize(): void {
    this.put(this.memo.size);
  }

  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.refuse('a remembered value', `none with number ${index}`);
    this.push(value);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  /** A little-endian number of 1, 2 or 4 bytes without sign. */
  unsigned(length: 1 | 2 | 4): number {
    const at = this.skip(length);
    if (length === 1) return this.view.getUint8(at);
    return length === 2 ? this.view.getUint16(at, true) : this.view.getUint32(at, true);
  }

  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  float64(): number {
    return this.view.getFloat64(this.skip(8), false);
  }

  /** A number of any length, two's complement. */
  long(): number {
    const bytes = this.take(this.unsigned(1));
    const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const number = Number(BigInt.asIntN(8 * bytes.length, value));
    if (!Number.isSafeInteger(number)) throw this.refuse('whole numbers below 2^53', String(number));
    return number;
  }

  text(length: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(length));
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw this.refuse('text in UTF-8', `other bytes at ${this.at}`);
    }
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw this.refuse('a line', 'the end of the pickle');
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }

  global(name: string): void {
    if (!KNOWN.has(name) && !STORAGE.test(name)) {
      throw new UserError({
        problem: `the .bin file asks Python for ${show(name)}, which a checkpoint does not need`,
        expected: 'tensors in a dict and nothing else',
        where: this.where,
        remedy:
          'Nothing was executed. If you trust the file, load it with PyTorch and save its state_dict, best as safetensors.',
      });
    }
    this.push({ kind: 'global', name });
  }

  stackGlobal(): void {
    const [module, name] = this.popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.refuse('the name of a module and one in it', `${describe(module)} and ${describe(name)}`);
    this.global(`${module}.${name}`);
  }

  persistentId(): void {
    const id = this.pop();
    const [tag, type, key, , elements] = isKind(id, 'tuple') ? id.items : [];
    const name = isKind(type, 'global') ? STORAGE.exec(type.name)?.[1] : undefined;
    if (tag !== 'storage' || name === undefined || typeof key !== 'string' || !isCount(elements))
      throw this.refuse('a storage: its type, key, place and size', describe(id));
    this.push({ kind: 'storage', type: name, key, elements });
  }

  reduce(): void {
    const [callee, args] = this.popMany(2);
    if (!isKind(callee, 'global') || !isKind(args, 'tuple'))
      throw this.refuse('a name and its arguments', `${describe(callee)} with ${describe(args)}`);
    const [first, type, inner] = args.items;
    if (callee.name === REBUILD) this.push(this.tensor(args.items));
    else if (PARAMETERS.includes(callee.name) && isKind(first, 'tensor')) this.push(first);
    else if (callee.name === FROM_TYPE && isRebuild(first) && isType(type) && isKind(inner, 'tuple'))
      this.push(this.tensor(inner.items));
    else if (callee.name === ORDERED_DICT && args.items.length === 0)
      this.push({ kind: 'dict', entries: new Map() });
    else throw this.refuse('a tensor or an empty OrderedDict', `a call of ${callee.name}`);
  }

  setItems(values: Value[]): void {
    const { entries } = this.top('dict');
    if (values.length % 2 !== 0) throw this.refuse('keys with values', `${values.length} of both`);
    for (let i = 0; i < values.length; i += 2) {
      const key = values[i]!;
      if (typeof key !== 'string' && typeof key !== 'number')
        throw this.refuse('names as keys', describe(key));
      if (entries.has(key)) throw this.refuse('every name once', `${show(key)} twice`);
      entries.set(key, values[i + 1]!);
    }
  }

  append(values: Value[]): void {
    const { items } = this.top('list');
    for (const value of values) items.push(value);
  }

  /** Attributes of an OrderedDict (`_metadata`, versions of modules); they say nothing about tensors. */
  build(): void {
    this.pop();
    this.top('dict');
  }

  refuse(expected: string, found: string): UserError {
    return refuse(expected, found, this.where);
  }

  private tensor([storage, offset, shape, strides]: Value[]): PickledTensor {
    const [size, step] = [counts(shape), counts(strides)];
    if (!isKind(storage, 'storage') || !isCount(offset) || size === undefined || step?.length !== size.length)
      throw this.refuse('a storage, an offset, a shape and strides', describe(storage));
    return { kind: 'tensor', storage, offset, shape: size, strides: step };
  }

  private take(length: number): Uint8Array {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  private skip(length: number): number {
    const at = this.at;
    if (at + length > this.bytes.length)
      throw this.refuse('more bytes', `the end at byte ${this.bytes.length}`);
    this.at += length;
    return at;
  }
}

const STOP = '.'.charCodeAt(0);

/** By opcode; pickletools' names beside them. */
const OPERATIONS: Partial<Record<string, (machine: Interpreter) => void>> = {
  '\u0080': (m) => void m.byte(), // PROTO
  '\u0095': (m) => void m.float64(), // FRAME: 8 bytes of length, a hint for readers of streams
  '(': (m) => m.mark(), // MARK
  '0': (m) => void m.pop(), // POP
  '}': (m) => m.push({ kind: 'dict', entries: new Map() }), // EMPTY_DICT
  ']': (m) => m.push({ kind: 'list', items: [] }), // EMPTY_LIST
  ')': (m) => m.push({ kind: 'tuple', items: [] }), // EMPTY_TUPLE
  '\u0085': (m) => m.push({ kind: 'tuple', items: m.popMany(1) }), // TUPLE1
  '\u0086': (m) => m.push({ kind: 'tuple', items: m.popMany(2) }), // TUPLE2
  '\u0087': (m) => m.push({ kind: 'tuple', items: m.popMany(3) }), // TUPLE3
  t: (m) => m.push({ kind: 'tuple', items: m.popToMark() }), // TUPLE
  a: (m) => m.append(m.popMany(1)), // APPEND
  e: (m) => m.append(m.popToMark()), // APPENDS
  s: (m) => m.setItems(m.popMany(2)), // SETITEM
  u: (m) => m.setItems(m.popToMark()), // SETITEMS
  q: (m) => m.put(m.unsigned(1)), // BINPUT
  r: (m) => m.put(m.unsigned(4)), // LONG_BINPUT
  '\u0094': (m) => m.memoize(), // MEMOIZE
  h: (m) => m.get(m.unsigned(1)), // BINGET
  j: (m) => m.get(m.unsigned(4)), // LONG_BINGET
  N: (m) => m.push(null), // NONE
  '\u0088': (m) => m.push(true), // NEWTRUE
  '\u0089': (m) => m.push(false), // NEWFALSE
  J: (m) => m.push(m.int32()), // BININT
  K: (m) => m.push(m.unsigned(1)), // BININT1
  M: (m) => m.push(m.unsigned(2)), // BININT2
  '\u008a': (m) => m.push(m.long()), // LONG1
  G: (m) => m.push(m.float64()), // BINFLOAT
  X: (m) => m.push(m.text(m.unsigned(4))), // BINUNICODE
  '\u008c': (m) => m.push(m.text(m.unsigned(1))), // SHORT_BINUNICODE
  c: (m) => m.global(`${m.line()}.${m.line()}`), // GLOBAL
  '\u0093': (m) => m.stackGlobal(), // STACK_GLOBAL
  Q: (m) => m.persistentId(), // BINPERSID
  R: (m) => m.reduce(), // REDUCE
  b: (m) => m.build(), // BUILD
};

type Kind = Extract<Value, { kind: string }>['kind'];

function isKind<K extends Kind>(value: Value | undefined, kind: K): value is Extract<Value, { kind: K }> {
  return typeof value === 'object' && value !== null && value.kind === kind;
}

function isRebuild(value: Value | undefined): boolean {
  return isKind(value, 'global') && value.name === REBUILD;
}

function isType(value: Value | undefined): boolean {
  return isKind(value, 'global') && TYPES.includes(value.name);
}

function isCount(value: Value | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: Value | undefined): number[] | undefined {
  if (!isKind(value, 'tuple') || value.items.length > MAX_AXES || !value.items.every(isCount))
    return undefined;
  return value.items;
}

function describe(value: Value | undefined): string {
  if (typeof value !== 'object' || value === null) return show(value);
  return value.kind === 'global' ? value.name : `a ${value.kind}`;
}

function refuse(expected: string, found: string, where: string): UserError {
  return new UserError({
    problem: 'the .bin file does not hold a plain state_dict',
    expected,
    found,
    where,
    remedy: 'Download the file again, or load it with PyTorch and save its state_dict as safetensors.',
  });
}
