/**
 * One question, from pictures and text to the events of a trace.
 * What it decides: which pictures the model sees, what is captured. How to generate is ../inference/generate.ts.
 */

import { UserError } from '../base/errors.ts';
import { encodePrompt, promptParts } from '../checkpoint/text/chatTemplate.ts';
import { withBudget } from '../checkpoint/pixels/budget.ts';
import { pictureSize } from '../checkpoint/pixels/decodeImage.ts';
import { processImage } from '../checkpoint/pixels/image.ts';
import { planPicture } from '../checkpoint/pixels/smartResize.ts';
import { parseWith } from '../checkpoint/json.ts';
import { changedProtocol, ChangesSchema } from '../checkpoint/protocol.ts';
import type { ProcessorConfig } from '../model/config.ts';
import { freed } from '../model/families/ilvr.ts';
import type { PatchGrid } from '../model/positions.ts';
import type { PromptStyle, Protocol } from '../model/protocol.ts';
import type { ImageInput, LatentIntervention, ReasonRequest } from '../protocol/engine.ts';
import type { ReasonEvent } from '../trace/events.ts';
import { PART_TIMINGS, TOTAL_TIMING } from '../trace/format.ts';
import type { TraceBranch, TracePicture } from '../trace/schema.ts';
import type { PictureFeatures } from '../inference/compare.ts';
import { DONE_TO_TOKENS } from '../inference/intervention.ts';
import { generateVariants, type Variant } from '../inference/generate.ts';
import type { Model } from '../inference/model.ts';
import { checkRoom, type RoomContext, type SizedPicture } from '../inference/room.ts';
import { checkSamePrompt, prepareBranch } from './branch.ts';
import { beyondTraining } from './beyondTraining.ts';
import { notesOn } from './notes.ts';
import { pictureKey, PictureMemory, type KeptPicture } from './pictureMemory.ts';
import { Recorder } from './recorder.ts';
import type { RunContext, RunOutput } from './runContext.ts';

/** A run of the request beside the first: what is fed at its latents, and where its findings go. */
export interface VariantRun extends RunOutput {
  id: string;
  intervention?: LatentIntervention;
}

/**
 * Runs a request; everything it finds goes out as events, `done` included when it ends by itself.
 * @param variants go through the model together with the request's own run
 */
export async function reason(
  context: RunContext,
  request: ReasonRequest,
  variants: readonly VariantRun[] = [],
): Promise<void> {
  const protocol = protocolFor(request, context.model);
  checkRequest(request, context.model, protocol);
  for (const variant of variants) checkIntervention(variant, context.model, protocol);
  const started = performance.now();
  const { config, generation, processor: own } = context.model.checkpoint;
  const processor = withBudget(own, request);
  const penalty = request.repetitionPenalty ?? generation.repetitionPenalty;
  const style = promptStyle(request, protocol);
  const branch = prepareBranch(context.model, context.describe.model, request);
  const { intervention: _, ...asked } = { ...request, ...(branch && { force: branch.force }) };
  const given = await sizePictures(request);
  const rows = [{ ...request, emit: context.emit, sink: context.sink }, ...variants].map(
    ({ id, intervention, emit, sink }) => {
      const row = { ...context, emit, sink };
      const ownRequest = { ...asked, id, ...(intervention !== undefined && { intervention }) };
      const start = startEvent(row, ownRequest, {
        given,
        processor,
        penalty,
        protocol,
        style,
        branch: branch?.record,
      });
      const recorder = new Recorder(row, start);
      return { context: row, intervention, recorder };
    },
  );

  const { ids, text, textTokens } = writePrompt(context, request, given, processor, style);
  if (request.branch !== undefined) checkSamePrompt(request.branch, ids, given);
  const answers = rows.length;
  makeRoom(context, given, { config, processor, provider: context.model.provider, textTokens, answers });
  const pictures = await encodePictures(context, given, processor);
  const encoded = performance.now();
  const seen = pictures.filter((picture) => picture.given.inPrompt);
  const prompt = {
    ids,
    ...(await context.model.embedPrompt(ids, seen)),
    pictureKeys: seen.map(({ key }) => key),
  };
  const starts = startsOf(ids, pictures, config.tokens.imagePad);
  for (const { context: row, recorder } of rows) {
    const described: TracePicture[] = request.branch?.pictures ?? [];
    if (request.branch === undefined)
      for (const [i, picture] of pictures.entries())
        described.push(await describePicture(row, picture, starts[i]));
    recorder.begin(
      { type: 'prompt', prompt: { text, ids, ropeDelta: prompt.delta }, pictures: described },
      pictures,
    );
    if (request.branch !== undefined) recorder.goOn(request.branch.past);
  }
  const finish = (recorder: Recorder): void => {
    const ended = performance.now();
    const timing = (name: string, milliseconds: number): void =>
      recorder.emit({ type: 'timing', timing: { name, milliseconds } });
    const kept = pictures.filter((picture) => picture.kept).length;
    timing(partName('pictures', kept, pictures.length), encoded - started);
    timing(
      partName('prompt', recorder.reused, ids.length, branch?.past.ids.length),
      recorder.firstToken - encoded,
    );
    timing(answerName(rows.length), ended - recorder.firstToken);
    timing(TOTAL_TIMING, ended - started);
    recorder.emit({ type: 'done', status: 'complete' });
  };
  const settings = {
    ...request,
    ...prompt,
    repetitionPenalty: penalty,
    protocol,
    ...(branch && { force: branch.force, past: branch.past, hidden: branch.hidden }),
  };
  const observed = rows.map(({ intervention, recorder }): Variant => ({
    intervention,
    observer: {
      token: (token, run) => recorder.token(token, run),
      fed: (token, fed) => recorder.fed(token, fed),
      ended: (reason) => {
        recorder.ended(reason);
        finish(recorder);
      },
    },
  }));
  const onChunk = (read: number): Promise<void> => rows[0]!.recorder.prefill(read, ids.length);
  await generateVariants(context.model, settings, observed, onChunk, context.memory?.prompt);
}

/** Several runs share the time of their steps, which is then no measure of one. */
function answerName(runs: number): string {
  return runs === 1 ? PART_TIMINGS.answer : `${PART_TIMINGS.answer}, of ${runs} runs together`;
}

/** A part of the run for the list of timings; what an earlier run had done is said, as the time is then no measure. */
function partName(part: 'pictures' | 'prompt', reused: number, all: number, past = 0): string {
  // What its parent had written is read behind the prompt, at once.
  const name = past === 0 ? PART_TIMINGS[part] : `${PART_TIMINGS[part]}, ${past} tokens of the parent`;
  if (reused === 0) return name;
  return `${name}, reused ${reused} of ${all} ${part === 'prompt' ? 'positions' : 'pictures'}`;
}

/** What is kept for later runs goes before a run is refused. */
function makeRoom({ memory }: RunContext, given: readonly GivenPicture[], room: RoomContext): void {
  try {
    checkRoom(given, room);
  } catch (error) {
    if (memory === undefined) throw error;
    memory.prompt.forget();
    memory.pictures.forget();
    checkRoom(given, room);
  }
}

/**
 * How this run thinks: as the model does, with what the request changes; undefined for a model that only writes.
 * @throws UserError for changes that are none, or that the model cannot do
 */
function protocolFor(
  { protocol: changes, latents }: ReasonRequest,
  { checkpoint }: Model,
): Protocol | undefined {
  const { config, weights, folder: where } = checkpoint;
  const own = config.protocol;
  if (changes === undefined) return own && latents === 'free' ? freed(own) : own;
  const parsed = parseWith(ChangesSchema, changes, 'the protocol that was asked for');
  if (own === undefined) throw noLatents(checkpoint);
  return changedProtocol(latents === 'free' ? freed(own) : own, parsed, { config, weights, where });
}

/** How the question is put, and what is to be said of that. */
interface UsedStyle extends PromptStyle {
  notes: string[];
}

function promptStyle({ placement, question }: ReasonRequest, protocol: Protocol | undefined): UsedStyle {
  const own: PromptStyle = protocol?.prompt ?? { images: 'first' };
  if (placement !== 'auto') return { ...own, images: placement, notes: [] };
  if (own.images !== 'placeholder' || question.includes('<image>')) return { ...own, notes: [] };
  const note = `The question has no <image>, at which ${protocol!.name} puts a picture; its own code would leave the picture out. Here it stands first.`;
  return { ...own, images: 'first', notes: [note] };
}

function checkRequest(request: ReasonRequest, model: Model, protocol: Protocol | undefined): void {
  const { checkpoint } = model;
  const { question, latents, images } = request;
  if (question.trim() === '') {
    throw new UserError({
      problem: 'The question is empty',
      remedy: 'Write what the model should find out.',
    });
  }
  if (images.length === 0) {
    throw new UserError({
      problem: 'There is no image to reason about',
      remedy: 'Choose at least one image.',
    });
  }
  if (latents === 'forced' && protocol === undefined) throw noLatents(checkpoint);
  checkForced(request, checkpoint.config.text.vocabularySize);
  checkIntervention(request, model, protocol);
}

function checkForced({ force }: ReasonRequest, vocabularySize: number): void {
  const [index, id] = Object.entries(force).find(([, forced]) => forced >= vocabularySize) ?? [];
  if (id === undefined) return;
  throw new UserError({
    problem: `The token forced at ${index} is none of the model's`,
    expected: `an id below ${vocabularySize}`,
    found: String(id),
  });
}

/** Vectors come from another run, scopes from a person. */
function checkIntervention(
  { intervention }: Pick<ReasonRequest, 'intervention'>,
  { checkpoint }: Model,
  protocol: Protocol | undefined,
): void {
  if (intervention === undefined) return;
  if (protocol?.source === 'token' && !DONE_TO_TOKENS.includes(intervention.kind)) {
    throw new UserError({
      problem: `Nothing is fed back in ${protocol.name}: its latents are ordinary tokens, which hold no vectors to replace`,
      expected: `one of ${DONE_TO_TOKENS.join(', ')}`,
      found: intervention.kind,
    });
  }
  const { hiddenSize } = checkpoint.config.text;
  const { kind, scope } = intervention;
  if (scope?.latent !== undefined && (kind === 'markers' || kind === 'none')) {
    throw new UserError({
      problem: 'This can be done to a whole block only',
      expected: 'a block without a latent',
      found: `${kind} at latent ${scope.latent + 1} of block ${scope.block + 1}`,
    });
  }
  const bad = vectorsOf(intervention).find(
    (vector) => vector.length !== hiddenSize || !vector.every(Number.isFinite),
  );
  if (bad === undefined) return;
  throw new UserError({
    problem:
      kind === 'swap' ? 'The latents to swap in do not fit the model' : 'These latents do not fit the model',
    expected: `${hiddenSize} finite numbers each`,
    found: bad.length === hiddenSize ? 'NaN or infinity among them' : `${bad.length} numbers`,
    remedy: 'Take them from a run of this model.',
  });
}

function vectorsOf(intervention: LatentIntervention): readonly Float32Array[] {
  if ('latents' in intervention) return intervention.latents;
  return 'blocks' in intervention ? intervention.blocks.flat() : [];
}

function noLatents({ config, folder, unknownLatents }: Model['checkpoint']): UserError {
  const isKnown = unknownLatents === undefined;
  return new UserError({
    problem: isKnown
      ? 'This model has no latent tokens'
      : 'This model thinks in latents of a kind that nobody described',
    expected: 'the tokens of a latent protocol in config.json or the tokenizer',
    found: unknownLatents ?? config.architecture,
    where: folder,
    remedy: isKnown
      ? 'Set latents to "free" to run it as a plain model, or open one that thinks in latents.'
      : 'Set latents to "free" to run it as a plain model, or describe it in a file ilvr.json beside its config.json.',
  });
}

/** What is settled before a run begins. */
interface Settled {
  given: readonly GivenPicture[];
  processor: ProcessorConfig;
  penalty: number;
  protocol: Protocol | undefined;
  style: UsedStyle;
  branch: TraceBranch | undefined;
}

function startEvent(
  context: RunContext,
  request: ReasonRequest,
  { given, processor, penalty, protocol, style, branch }: Settled,
): Extract<ReasonEvent, { type: 'start' }> {
  const { latents, intervention, temperature, topP, topK, seed, maxTokens, system } = request;
  const { generation, trainedOn } = context.model.checkpoint;
  const seen = given.filter(({ inPrompt }) => inPrompt).map(({ name, source }) => ({ name, ...source }));
  const notes = [
    ...notesOn(generation, request),
    ...style.notes,
    ...(trainedOn === undefined ? [] : beyondTraining(trainedOn, request.question, seen)),
  ];
  const { model, device } = context.describe;
  return {
    type: 'start',
    id: request.id,
    createdAt: new Date().toISOString(),
    producer: { name: 'ILVR Inspector', version: context.version },
    question: request.question,
    model: { ...model, ...(protocol && { protocol, latentSize: protocol.count }) },
    device,
    settings: {
      latents,
      ...(intervention !== undefined && { intervention: intervention.kind }),
      ...(intervention?.scope !== undefined && { interventionScope: intervention.scope }),
      ...(request.protocol !== undefined && { protocol: request.protocol }),
      temperature,
      topP,
      ...(topK !== undefined && { topK }),
      repetitionPenalty: penalty,
      seed,
      maxTokens,
      minPixels: processor.minPixels,
      maxPixels: processor.maxPixels,
      placement: style.images,
      force: Object.fromEntries(Object.entries(request.force)),
      helpers: request.helperMode,
      ...(system !== undefined && { system }),
      ...(notes.length > 0 && { notes }),
    },
    ...(branch !== undefined && { branch }),
  };
}

/** A picture of the request, before it is decoded. */
interface GivenPicture extends SizedPicture {
  id: string;
  role: 'input' | 'helper';
  bytes: Uint8Array;
}

/** What of a picture is kept: neither its pixels nor its patches. */
interface EncodedPicture extends PictureFeatures {
  grid: PatchGrid;
  given: GivenPicture;
  image: KeptPicture['image'];
  key: string;
  /** Whether an earlier run had encoded it. */
  kept: boolean;
}

/** Reads the headers. */
async function sizePictures({ images, helpers, helperMode }: ReasonRequest): Promise<GivenPicture[]> {
  const of = (list: ImageInput[], role: 'input' | 'helper') =>
    list.map(async ({ name, bytes }, i): Promise<GivenPicture> => ({
      id: `${role}-${i + 1}`,
      role,
      name,
      bytes,
      source: await pictureSize(bytes, name),
      inPrompt: role === 'input' || helperMode === 'prompt',
    }));
  return Promise.all([...of(images, 'input'), ...of(helpers, 'helper')]);
}

async function encodePictures(
  context: RunContext,
  given: readonly GivenPicture[],
  processor: ProcessorConfig,
): Promise<EncodedPicture[]> {
  const pictures: EncodedPicture[] = [];
  const memory = context.memory?.pictures ?? new PictureMemory();
  const keys = given.map(({ bytes }) => pictureKey(bytes, processor));
  memory.keepOnly(keys);
  for (const [i, picture] of given.entries()) {
    const key = keys[i]!;
    const known = memory.get(key);
    const share = (done: number): number => (pictures.length + done) / given.length;
    const onRun = async (done: number): Promise<void> => {
      context.progress({ code: 'encode', of: picture.name }, share(done));
      await context.pause();
    };
    await onRun(0);
    const { image, features } = known ?? (await encodePicture(context, picture, processor, onRun));
    memory.set(key, { image, features });
    const { grid } = image;
    pictures.push({ id: picture.id, grid, features, given: picture, image, key, kept: known !== undefined });
  }
  return pictures;
}

async function encodePicture(
  { model }: RunContext,
  { bytes, name }: GivenPicture,
  processor: ProcessorConfig,
  onRun: (done: number) => Promise<void>,
): Promise<KeptPicture> {
  const { rgb: _, pixelValues, ...image } = await processImage(bytes, name, processor);
  return { image, features: await model.encodeImage(pixelValues, image.grid, { onRun }) };
}

/** The prompt's text and ids, each picture as so many tokens. */
function writePrompt(
  { model }: RunContext,
  request: ReasonRequest,
  given: readonly GivenPicture[],
  processor: ProcessorConfig,
  style: PromptStyle,
) {
  const seen = given.filter(({ inPrompt }) => inPrompt);
  const tokens = seen.map(({ source }) => planPicture(source, processor).mergedTokens);
  const { question, system } = request;
  const parts = promptParts(question, seen.length, style.images);
  const asked = { parts, style, ...(system !== undefined && { system }) };
  const encoded = encodePrompt(model.checkpoint, asked, tokens);
  return { ...encoded, textTokens: encoded.ids.length - tokens.reduce((sum, count) => sum + count, 0) };
}

/** Where each picture's tokens begin; undefined for one that is not in the prompt. */
function startsOf(ids: readonly number[], pictures: readonly EncodedPicture[], pad: number) {
  let next = 0;
  return pictures.map(({ given, image }) => {
    if (!given.inPrompt) return undefined;
    const start = ids.indexOf(pad, next);
    next = start + image.mergedTokens;
    return start;
  });
}

async function describePicture(
  { model, sink }: RunContext,
  picture: EncodedPicture,
  start: number | undefined,
): Promise<TracePicture> {
  const { mergeSize, patchSize } = model.checkpoint.processor;
  const { image, grid } = picture;
  const { id, name, role } = picture.given;
  return {
    id,
    name,
    role,
    width: image.source.width,
    height: image.source.height,
    exifOrientation: image.exifOrientation,
    png: await sink.add('U8', [image.displayPng.length], image.displayPng),
    resized: { width: image.resized.width, height: image.resized.height },
    grid: { rows: grid.height / mergeSize, columns: grid.width / mergeSize },
    tokenSize: patchSize * mergeSize,
    ...(start !== undefined && { range: { start, count: image.mergedTokens } }),
  };
}
