/**
 * Text ↔ token ids by the checkpoint's own tokenizer.json (byte-level BPE), through @huggingface/tokenizers.
 *
 * Encoding is the library's. Decoding is ours, from the bytes of each token: the library wants a non-empty
 * list, and an incremental decoder needs the bytes anyway, because one character may span several tokens.
 */
import path from 'node:path';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { z } from 'zod';
import { UserError, messageOf } from '../../base/errors.ts';
import { parseWith, readJson, readJsonIfPresent } from '../json.ts';
import { bytesOfToken } from './byteLevel.ts';

export interface Tokenizer {
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

const TokenizerFile = z.looseObject({
  added_tokens: z.array(AddedToken).default([]),
  normalizer: z.looseObject({}).nullish().default(null),
  pre_tokenizer: z.looseObject({}).nullish().default(null),
  post_processor: z.looseObject({}).nullish().default(null),
  decoder: z.looseObject({ type: z.literal('ByteLevel') }),
  model: z.looseObject({
    type: z.literal('BPE').optional(),
    vocab: z.record(z.string(), z.int().nonnegative().max(10_000_000)),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

const TokenizerConfig = z.looseObject({
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).optional(),
});

/**
 * The tokenizer of a checkpoint folder.
 * @throws UserError if tokenizer.json is missing, damaged or of another kind than byte-level BPE.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const file = path.join(folder, 'tokenizer.json');
  const configFile = path.join(folder, 'tokenizer_config.json');
  const json = parseWith(TokenizerFile, await readJson(file), file);
  const config = parseWith(TokenizerConfig, (await readJsonIfPresent(configFile)) ?? {}, configFile);
  const added = [...json.added_tokens, ...addedLater(json, config)];
  try {
    return wrap(new Library({ ...json, added_tokens: added }, config), added);
  } catch (error) {
    throw new UserError({
      problem: 'the tokenizer cannot be used',
      found: messageOf(error),
      where: file,
      remedy: 'Download tokenizer.json again, or save it again with transformers.',
    });
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

function wrap(library: Library, added: z.infer<typeof AddedToken>[]): Tokenizer {
  const contents = new Map(added.map(({ id, content }) => [id, content]));
  const specialIds = new Set(added.filter(({ special }) => special === true).map(({ id }) => id));
  const utf8 = new TextEncoder();
  const bytesOf = (id: number): Uint8Array | undefined => {
    const content = contents.get(id);
    if (content !== undefined) return utf8.encode(content);
    const token = library.id_to_token(id);
    return token === undefined ? undefined : bytesOfToken(token);
  };
  const tokenizer: Omit<Tokenizer, 'decode'> = {
    encode: (text) => library.encode(text, { add_special_tokens: false }).ids,
    tokenText: (id) => displayText(bytesOf(id)),
    idOf: (token) => library.token_to_id(token),
    bytesOf,
    specialIds,
    addedIds: new Set(contents.keys()),
    vocabularySize: 1 + [...library.get_vocab().values()].reduce((a, b) => Math.max(a, b), -1),
  };
  return { ...tokenizer, decode: (ids, options) => decodeAll(tokenizer, ids, options?.skipSpecial ?? false) };
}

function decodeAll(
  tokenizer: Omit<Tokenizer, 'decode'>,
  ids: readonly number[],
  skipSpecial: boolean,
): string {
  const decoder = new StreamDecoder(tokenizer);
  const kept = skipSpecial ? ids.filter((id) => !tokenizer.specialIds.has(id)) : ids;
  return kept.map((id) => decoder.push(id)).join('') + decoder.flush();
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
