/**
 * Text ↔ token ids by the checkpoint's own tokenizer.json (byte-level BPE), through @huggingface/tokenizers.
 *
 * Encoding is the library's; patterns of a stranger run for a bounded time. Decoding is ours, from the bytes of
 * each token: the library wants a non-empty list, and an incremental decoder needs the bytes anyway, because
 * one character may span several tokens.
 */
import path from 'node:path';
import { Normalizer, PreTokenizer, Tokenizer as Library } from '@huggingface/tokenizers';
import { z } from 'zod';
import { UserError, messageOf } from '../../base/errors.ts';
import { isThere } from '../../files/plainFile.ts';
import { bounded, TIME_LIMIT_MS } from '../bounded.ts';
import { isRecord, parseWith, quickly, readJson, readJsonIfPresent } from '../json.ts';
import { QWEN_PATTERN, readVocabularyFiles, Vocabulary, VOCABULARY_FILES } from './vocabularyFiles.ts';

export interface Tokenizer {
  /** It was read from here. */
  readonly folder: string;
  /** Ids of a text; special tokens written in it become their ids, as in the reference. Adds nothing. */
  encode(text: string): number[];
  /** Text of ids; bytes that are no UTF-8 become U+FFFD, ids without a token become nothing. */
  decode(ids: readonly number[], options?: { skipSpecial?: boolean }): string;
  /** One token for display: its text, or `<0xE6><0x8E>` if it is only part of a character. */
  tokenText(id: number): string;
  /** Id of a whole token: a special token's content, or a vocabulary entry as tokenizer.json spells it. */
  idOf(token: string): number | undefined;
  /** The bytes of a token; undefined if there is none. Special tokens: their content. */
  bytesOf(id: number): Uint8Array | undefined;
  /** Ids of tokens marked special. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids of all added tokens, special or not. They stand alone: bytes do not join across them. */
  readonly addedIds: ReadonlySet<number>;
  /** One more than the largest id. A model's vocabulary may be larger. */
  readonly vocabularySize: number;
}

const AddedToken = z.looseObject({
  id: z.int().nonnegative().max(10_000_000),
  content: z.string(),
  special: z.boolean().optional(),
});

const Merges = quickly(z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])), (value) =>
  Array.isArray(value) && value.every(isMerge) ? value : undefined,
);

const TokenizerFile = z.looseObject({
  added_tokens: z.array(AddedToken).default([]),
  normalizer: z.looseObject({}).nullish().default(null),
  pre_tokenizer: z.looseObject({}).nullish().default(null),
  post_processor: z.looseObject({}).nullish().default(null),
  decoder: z.looseObject({ type: z.literal('ByteLevel') }),
  model: z.looseObject({
    type: z.literal('BPE').optional(),
    vocab: Vocabulary,
    merges: Merges,
  }),
});

interface TokenizerJson extends Omit<z.infer<typeof TokenizerFile>, 'model'> {
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
}

const TokenizerConfig = z.looseObject({
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).optional(),
});

function isMerge(value: unknown): value is string | [string, string] {
  return (
    typeof value === 'string' ||
    (Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string'))
  );
}

/** Whether a folder comes with a tokenizer, as a checkpoint's does and an adapter's may. */
export async function hasTokenizer(folder: string): Promise<boolean> {
  const has = async (name: string): Promise<boolean> => isThere(path.join(folder, name));
  return (await has('tokenizer.json')) || (await Promise.all(VOCABULARY_FILES.map(has))).every(Boolean);
}

/**
 * The tokenizer of a checkpoint folder, from tokenizer.json or, where there is none, from vocab.json and
 * merges.txt, as older releases of transformers saved Qwen's.
 * @throws UserError if it is missing, damaged or of another kind than byte-level BPE.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const file = path.join(folder, 'tokenizer.json');
  const configFile = path.join(folder, 'tokenizer_config.json');
  if (!(await hasTokenizer(folder))) throw noTokenizer(folder);
  const content = (await isThere(file)) ? readJson(file) : readVocabularyFiles(folder);
  const json = parseWith(TokenizerFile, await content, file);
  const config = parseWith(TokenizerConfig, (await readJsonIfPresent(configFile)) ?? {}, configFile);
  const added = [...json.added_tokens, ...addedLater(json, config)];
  try {
    const { ids, largest } = json.model.vocab;
    const library = openLibrary(
      { ...json, added_tokens: added, model: { ...json.model, vocab: ids } },
      config,
    );
    return { folder, ...wrap(library, largest, added, file) };
  } catch (error) {
    throw unusable(messageOf(error), file);
  }
}

function noTokenizer(where: string): UserError {
  return new UserError({
    problem: 'the folder has no tokenizer',
    expected: `tokenizer.json, or ${VOCABULARY_FILES.join(' and ')}`,
    where,
    remedy: 'Copy it from the model that this one was trained from.',
  });
}

function unusable(found: string, where: string): UserError {
  return new UserError({
    problem: 'the tokenizer cannot be used',
    found,
    where,
    remedy: 'Download tokenizer.json again, or save it again with transformers.',
  });
}

/** The library's tokenizer, whose patterns stop after a while unless they are known to end. */
function openLibrary(json: TokenizerJson, config: z.infer<typeof TokenizerConfig>): Library {
  if (isKnown(json.normalizer) && isKnown(json.pre_tokenizer)) return new Library(json, config);
  // Patterns are compiled, and tried on added tokens, without the vocabulary, which takes its time.
  const model = { ...json.model, vocab: {}, merges: [] };
  bounded(() => new Library({ ...json, model }, config));
  const library = new Library(json, config);
  if (library.normalizer !== null) library.normalizer = new BoundedNormalizer(library.normalizer);
  if (library.pre_tokenizer !== null) library.pre_tokenizer = new BoundedPreTokenizer(library.pre_tokenizer);
  return library;
}

/** Whether a step is one of Qwen's, which take linear time. */
function isKnown(step: unknown): boolean {
  if (!isRecord(step)) return step === null;
  const { type, pattern, pretokenizers } = step;
  if (type === 'Sequence') return Array.isArray(pretokenizers) && pretokenizers.every(isKnown);
  if (type === 'Split') return isRecord(pattern) && pattern['Regex'] === QWEN_PATTERN;
  return type === 'NFC' || type === 'ByteLevel';
}

/** An honest pattern reads a megabyte in a second at the least. */
const limitFor = (text: string): number => TIME_LIMIT_MS + text.length / 1000;

class BoundedNormalizer extends Normalizer {
  private readonly inner: Normalizer;

  constructor(inner: Normalizer) {
    super(inner.config);
    this.inner = inner;
  }

  normalize(text: string): string {
    return bounded(() => this.inner.normalize(text), limitFor(text));
  }
}

class BoundedPreTokenizer extends PreTokenizer {
  private readonly inner: PreTokenizer;

  constructor(inner: PreTokenizer) {
    super();
    this.inner = inner;
  }

  pre_tokenize_text(text: string, options: Parameters<PreTokenizer['pre_tokenize_text']>[1]): string[] {
    return bounded(() => this.inner.pre_tokenize(text, options), limitFor(text));
  }
}

/** Tokens that only tokenizer_config.json names: transformers adds them on loading, so do we. */
function addedLater(
  json: z.infer<typeof TokenizerFile>,
  config: z.infer<typeof TokenizerConfig>,
): z.infer<typeof AddedToken>[] {
  const known = new Set(json.added_tokens.map(({ content }) => content));
  return Object.entries(config.added_tokens_decoder ?? {})
    .filter(([, token]) => !known.has(token.content))
    .map(([id, token]) => parseWith(AddedToken, { ...token, id: Number(id) }, 'tokenizer_config.json'));
}

function wrap(
  library: Library,
  largestId: number,
  added: z.infer<typeof AddedToken>[],
  file: string,
): Omit<Tokenizer, 'folder'> {
  const contents = new Map(added.map(({ id, content }) => [id, content]));
  const specialIds = new Set(added.filter(({ special }) => special === true).map(({ id }) => id));
  const utf8 = new TextEncoder();
  const bytesOf = (id: number): Uint8Array | undefined => {
    const content = contents.get(id);
    if (content !== undefined) return utf8.encode(content);
    const token = library.id_to_token(id);
    return token === undefined ? undefined : bytesOfToken(token);
  };
  const tokenizer: Omit<Tokenizer, 'decode' | 'folder'> = {
    encode: (text) => {
      try {
        return library.encode(text, { add_special_tokens: false }).ids;
      } catch (error) {
        throw unusable(messageOf(error), file);
      }
    },
    tokenText: (id) => displayText(bytesOf(id)),
    idOf: (token) => library.token_to_id(token),
    bytesOf,
    specialIds,
    addedIds: new Set(contents.keys()),
    vocabularySize: 1 + [...contents.keys()].reduce((a, b) => Math.max(a, b), largestId),
  };
  return { ...tokenizer, decode: (ids, options) => decodeAll(tokenizer, ids, options?.skipSpecial ?? false) };
}

function decodeAll(
  tokenizer: Omit<Tokenizer, 'decode' | 'folder'>,
  ids: readonly number[],
  skipSpecial: boolean,
): string {
  const decoder = new StreamDecoder(tokenizer);
  const kept = skipSpecial ? ids.filter((id) => !tokenizer.specialIds.has(id)) : ids;
  return kept.map((id) => decoder.push(id)).join('') + decoder.flush();
}

/**
 * The alphabet of byte-level BPE: every byte is written as one printable character, so that a vocabulary
 * of byte strings fits in JSON. Source: `bytes_to_unicode` of GPT-2's encoder.py, used by Qwen unchanged.
 * Printable Latin-1 stands for itself, the other 68 bytes for U+0100 and on.
 */
const BYTE_OF = new Map<string, number>();

for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  BYTE_OF.set(String.fromCharCode(printable ? byte : next++), byte);
}

/**
 * The bytes that a vocabulary entry stands for. An entry with a character outside the alphabet stands for
 * its own UTF-8, as in the tokenizers library (`ByteLevel::decode_chain`).
 */
function bytesOfToken(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF.get(token[i]!);
    if (byte === undefined) return new TextEncoder().encode(token);
    bytes[i] = byte;
  }
  return bytes;
}

function displayText(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return '';
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
  }
}

/**
 * Incremental detokenisation: each token's bytes are decoded once, and only the (at most three) bytes of an
 * unfinished character wait for the next token. The pieces and the flush joined equal `Tokenizer.decode`.
 */
export class StreamDecoder {
  private readonly tokenizer: Pick<Tokenizer, 'bytesOf' | 'addedIds'>;
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // ignoreBOM keeps U+FEFF

  constructor(tokenizer: Pick<Tokenizer, 'bytesOf' | 'addedIds'>) {
    this.tokenizer = tokenizer;
  }

  /** The text that this token completes; empty while a character is unfinished. */
  push(id: number): string {
    const bytes = this.tokenizer.bytesOf(id);
    if (bytes === undefined) return '';
    const before = this.tokenizer.addedIds.has(id) ? this.flush() : '';
    return before + this.decoder.decode(bytes, { stream: true });
  }

  /** What is left at the end: U+FFFD if the last character was never finished, else nothing. */
  flush(): string {
    return this.decoder.decode();
  }
}
