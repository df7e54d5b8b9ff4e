/** A checkpoint folder, opened: settings, tokenizer, template and where each weight lies. Loads no tensor. */
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import type { BaseName } from '../model/bases/name.ts';
import type { GenerationDefaults, ModelConfig, ProcessorConfig } from '../model/config.ts';
import type { Family } from '../model/families/family.ts';
import { isIlvr } from '../model/families/ilvr.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { openAdapter } from './adapter/adapter.ts';
import type { Adapter } from './adapter/adapter.ts';
import { loadChatTemplate } from './text/chatTemplate.ts';
import type { ChatTemplate } from './text/chatTemplate.ts';
import { declaredTying, parseModelConfig } from './config.ts';
import { parseGenerationConfig, parseProcessorConfig } from './defaults.ts';
import { OwnProtocol, protocolOf, type FoundProtocol } from './protocol.ts';
import { checkpointFingerprint, withAdapter } from './hash.ts';
import { findConfig } from '../files/modelFolder.ts';
import { strayRules } from './generationRules.ts';
import { parseWith, readJson, readJsonIfPresent } from './json.ts';
import { refuseDeclaredQuantisation } from './quantised.ts';
import { hasTokenizer, loadTokenizer } from './text/tokenizer.ts';
import type { Tokenizer } from './text/tokenizer.ts';
import { readTrainedOn, type TrainedOn } from './trainedOn.ts';
import { openWeights } from './weights.ts';
import type { Weights } from './weights.ts';

export interface Checkpoint {
  /** Absolute path. */
  folder: string;
  config: ModelConfig;
  generation: GenerationDefaults;
  processor: ProcessorConfig;
  weights: Weights;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
  /** Dtype of most weights. */
  dtype: Dtype;
  parameterCount: number;
  /**
   * The question the model was trained to answer (`question` in ilvr.json, an addition of ours): small
   * models understand no other wording.
   */
  question?: string;
  /** What else it was asked in training. */
  trainedOn?: TrainedOn;
  /** What was trained on top of the weights and is applied to them. */
  adapter?: Adapter;
  /** Whose latents it thinks in; how, says `config.protocol`. */
  family?: Family;
  /** Latent tokens of config.json that no family knows: it can only run as a plain model. */
  unknownLatents?: string;
  /** Sentences that a reader should know before a run, and whoever looks at its trace. */
  notes: string[];
  /** Quick identity, the adapter included; see ./hash.ts for what it tells apart. */
  fingerprint: string;
}

/**
 * Opens a folder as Hugging Face lays it out.
 * @param options.adapter folder of an adapter (PEFT's LoRA) to apply
 * @throws UserError naming the file or setting that is missing or wrong
 */
export async function openCheckpoint(
  where: string,
  options: { adapter?: string | undefined } = {},
): Promise<Checkpoint> {
  const folder = path.resolve(where);
  const configFile = await findConfig(folder, 'model');
  const configJson = await readJson(configFile);
  const parsed = parseModelConfig(configJson, configFile);
  refuseDeclaredQuantisation(configJson, configFile);
  const adapter = options.adapter === undefined ? undefined : await openAdapter(options.adapter);
  // Who trains an adapter on new tokens saves the tokenizer beside it.
  const textFolder = adapter !== undefined && (await hasTokenizer(adapter.folder)) ? adapter.folder : folder;
  const [generation, processor, tokenizer, chatTemplate, weights, own, trainedOn] = await Promise.all([
    readGeneration(folder, configJson),
    readProcessor(folder, parsed.text.base),
    loadTokenizer(textFolder),
    loadChatTemplate(textFolder, folder),
    openWeights(folder, { tied: declaredTying(configJson), adapter }),
    readOwnSettings(folder),
    adapter === undefined ? readTrainedOn(folder) : undefined,
  ]);
  const vocabularySize = weights.adaptedVocabulary ?? parsed.text.vocabularySize;
  const sized = { ...parsed, text: { ...parsed.text, tiedEmbeddings: weights.tied, vocabularySize } };
  const latents = protocolOf(
    { json: configJson, config: sized, tokenizer, weights, where: folder },
    own.protocol,
  );
  const config = withProtocol(sized, latents);
  checkTokens(config, generation, tokenizer, folder);
  checkProcessor(config, processor, folder);
  const ownFingerprint = await checkpointFingerprint({ folder, weightFiles: weights.files });
  const { dtype, parameterCount } = weights;
  return {
    folder,
    config,
    generation,
    processor,
    weights,
    tokenizer,
    chatTemplate,
    dtype,
    parameterCount,
    ...(adapter !== undefined && { adapter }),
    ...(latents.family !== undefined && { family: latents.family }),
    ...(latents.unknown !== undefined && { unknownLatents: latents.unknown }),
    fingerprint: withAdapter(ownFingerprint, adapter),
    ...(own.question !== undefined && { question: own.question }),
    ...(trainedOn !== undefined && { trainedOn }),
    notes: notesOf(weights, latents, strayRules(configJson)),
  };
}

/**
 * The config with what only weights and tokenizer know. `tokens.latent` are those of ILVR's protocol alone, which is
 * the one that training knows.
 */
function withProtocol(config: ModelConfig, { protocol, latentHead }: FoundProtocol): ModelConfig {
  const { latent: _, ...tokens } = config.tokens;
  if (protocol === undefined) return { ...config, tokens };
  const { pad, start, end } = protocol.tokens;
  const latent =
    isIlvr(protocol) && pad && start && end ? { pad: pad.id, start: start.id, end: end.id } : undefined;
  return {
    ...config,
    tokens: { ...tokens, ...(latent && { latent }) },
    latentSize: protocol.count,
    protocol,
    ...(latentHead && { latentHead }),
  };
}

/** What a reader should know before a run. */
function notesOf(weights: Weights, { notes }: FoundProtocol, stray: readonly string[]): string[] {
  return [
    ...notes,
    ...(weights.headDiffers
      ? [
          'config.json says that the output matrix is the embedding, but the files have one of its own. It is used.',
        ]
      : []),
    ...(stray.length > 0
      ? [
          `config.json has rules of generation that are read from generation_config.json only: ${stray.join(', ')}.`,
        ]
      : []),
  ];
}

/** ilvr.json, an addition of ours. */
const OwnSettings = z.looseObject({
  question: z.string().min(1).max(10_000).optional(),
  /** How it thinks, where that is not to be told from the checkpoint itself; see docs/models.md. */
  protocol: OwnProtocol.optional(),
});

/** The question that a checkpoint names as its own, before it is opened. @throws UserError where there is no checkpoint */
export async function ownQuestion(folder: string): Promise<string | undefined> {
  await findConfig(folder, 'model');
  return (await readOwnSettings(folder)).question;
}

async function readOwnSettings(folder: string): Promise<z.infer<typeof OwnSettings>> {
  const file = path.join(folder, 'ilvr.json');
  return parseWith(OwnSettings, (await readJsonIfPresent(file)) ?? {}, file);
}

async function readGeneration(folder: string, configJson: unknown): Promise<GenerationDefaults> {
  const file = path.join(folder, 'generation_config.json');
  return parseGenerationConfig(await readJsonIfPresent(file), file, configJson);
}

async function readProcessor(folder: string, base: BaseName): Promise<ProcessorConfig> {
  const file = path.join(folder, 'preprocessor_config.json');
  const json = await readJsonIfPresent(file);
  if (json !== undefined) return parseProcessorConfig(json, file, base);
  // transformers 5 may keep the image processor's settings inside the processor's.
  const newer = path.join(folder, 'processor_config.json');
  const whole = await readJsonIfPresent(newer);
  const inner: unknown =
    typeof whole === 'object' && whole !== null ? Reflect.get(whole, 'image_processor') : undefined;
  return parseProcessorConfig(inner, newer, base);
}

/** A token of the config must be one of the tokenizer's and have a row in the embedding. */
function checkTokens(
  config: ModelConfig,
  generation: GenerationDefaults,
  tokenizer: Tokenizer,
  where: string,
): void {
  const rows = config.text.vocabularySize;
  const { latent, ...picture } = config.tokens;
  for (const id of [...Object.values(picture), ...Object.values(latent ?? {})]) {
    if (tokenizer.bytesOf(id) === undefined || id >= rows)
      throw mismatch(`token ${id}`, `a token of the tokenizer, below ${rows}`, where);
  }
  for (const id of generation.eosIds) {
    if (id >= rows) throw mismatch(`end token ${id}`, `an id below ${rows}`, where);
  }
  if (tokenizer.vocabularySize > rows) {
    throw mismatch(
      `a tokenizer with ids up to ${tokenizer.vocabularySize - 1}`,
      `ids below vocab_size, ${rows}`,
      where,
    );
  }
}

function checkProcessor({ vision }: ModelConfig, processor: ProcessorConfig, where: string): void {
  const expected = cut(vision);
  const found = cut(processor);
  if (found !== expected) {
    throw mismatch(`${found} in the image processor`, `${expected} as in vision_config`, where);
  }
}

function cut(c: Pick<ProcessorConfig, 'patchSize' | 'mergeSize' | 'temporalPatchSize'>): string {
  return `patch ${c.patchSize}, merge ${c.mergeSize}, temporal patch ${c.temporalPatchSize}`;
}

function mismatch(found: string, expected: string, where: string): UserError {
  return new UserError({
    problem: 'the files of the checkpoint do not belong together',
    expected,
    found,
    where,
    remedy: 'Copy all files from one and the same checkpoint.',
  });
}
