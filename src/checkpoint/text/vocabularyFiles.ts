/**
 * A tokenizer that was saved in parts: vocab.json, merges.txt and added_tokens.json, as older releases of
 * transformers write Qwen's without tokenizer.json. What the parts leave open (how text is normalised and split)
 * stands in the reference's code (transformers, models/qwen2/tokenization_qwen2.py).
 */
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../base/errors.ts';
import { isRecord, parseWith, quickly, readJson, readJsonIfPresent, readText, show } from '../json.ts';

export const VOCABULARY_FILES = ['vocab.json', 'merges.txt'] as const;

/** How Qwen's tokenizers split text into words. */
export const QWEN_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The classes of transformers whose tokenizer this is. */
const CLASSES = ['Qwen2Tokenizer', 'Qwen2TokenizerFast'];

const MAX_ID = 10_000_000;
export const Vocabulary = quickly(z.record(z.string(), z.int().nonnegative().max(MAX_ID)), idsOf);
const Token = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform(({ content }) => content),
]);
const Config = z.looseObject({
  tokenizer_class: z.string().nullish(),
  added_tokens_decoder: z
    .record(z.string(), z.looseObject({ content: z.string(), special: z.boolean().optional() }))
    .optional(),
  additional_special_tokens: z.array(Token).nullish(),
});
const SpecialTokens = z.looseObject({ additional_special_tokens: z.array(Token).nullish() });

/**
 * The parts as one tokenizer.json.
 * @throws UserError if a part is damaged, or the tokenizer is not Qwen's
 */
export async function readVocabularyFiles(folder: string): Promise<object> {
  const [vocabFile, mergesFile, addedFile, configFile, specialFile] = [
    ...VOCABULARY_FILES,
    'added_tokens.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
  ].map((name) => path.join(folder, name)) as [string, string, string, string, string];
  const config = parseWith(Config, (await readJsonIfPresent(configFile)) ?? {}, configFile);
  checkClass(config.tokenizer_class, configFile);
  const { ids: vocab } = parseWith(Vocabulary, await readJson(vocabFile), vocabFile);
  const { ids: added } = parseWith(Vocabulary, (await readJsonIfPresent(addedFile)) ?? {}, addedFile);
  const special = parseWith(SpecialTokens, (await readJsonIfPresent(specialFile)) ?? {}, specialFile);
  const specialTokens = specialTokensOf(config, special);
  const described = new Map(Object.values(config.added_tokens_decoder ?? {}).map((t) => [t.content, t]));
  return {
    added_tokens: Object.entries(added).map(([content, id]) => ({
      normalized: false,
      ...described.get(content),
      id,
      content,
      special: specialTokens.has(content),
    })),
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: { type: 'BPE', vocab, merges: parseMerges(await readText(mergesFile), mergesFile) },
  };
}

/** Ids by token, if all are, and the largest of them: -1 if there is none. */
function idsOf(value: unknown): { ids: Record<string, number>; largest: number } | undefined {
  if (!isRecord(value)) return undefined;
  let largest = -1;
  for (const id of Object.values(value)) {
    if (!Number.isInteger(id) || Number(id) < 0 || Number(id) > MAX_ID) return undefined;
    largest = Math.max(largest, Number(id));
  }
  return { ids: value as Record<string, number>, largest };
}

function checkClass(name: string | null | undefined, where: string): void {
  if (name === undefined || name === null || CLASSES.includes(name)) return;
  throw new UserError({
    problem: 'the tokenizer cannot be used without tokenizer.json',
    expected: `tokenizer.json, or a tokenizer of class ${CLASSES[0]}`,
    found: show(name),
    where,
    remedy: 'Load the tokenizer with AutoTokenizer of transformers, and save it again.',
  });
}

/** What the folder calls special, in any of the three ways in which releases of transformers write it. */
function specialTokensOf(
  config: z.infer<typeof Config>,
  map: z.infer<typeof SpecialTokens>,
): ReadonlySet<string> {
  const described = Object.values(config.added_tokens_decoder ?? {}).filter(
    ({ special }) => special === true,
  );
  const named = Object.entries({ ...config, ...map })
    .filter(([key]) => /^(bos|eos|unk|pad|sep|cls|mask)_token$/.test(key))
    .flatMap(([, value]) => Token.safeParse(value).data ?? []);
  return new Set([
    ...described.map(({ content }) => content),
    ...(config.additional_special_tokens ?? []),
    ...(map.additional_special_tokens ?? []),
    ...named,
  ]);
}

/** Pairs of vocabulary entries, one line each, best first; the first line may name the version. */
function parseMerges(text: string, where: string): [string, string][] {
  const lines = text.split('\n').map((line) => line.trim());
  const [first = ''] = lines;
  return lines.slice(first.startsWith('#version') ? 1 : 0).flatMap((line): [string, string][] => {
    if (line === '') return [];
    const [left, right, more] = line.split(' ');
    if (left !== undefined && right !== undefined && more === undefined) return [[left, right]];
    throw new UserError({
      problem: 'the merges of the tokenizer cannot be read',
      expected: 'two entries of the vocabulary in a line',
      found: show(line),
      where,
      remedy: 'Download the file again.',
    });
  });
}
