/** Analyses of a run as its trace keeps them: arrays go into the container, the rest stands in the manifest. */

import { Claims, type RunSizes } from '../analysis/check.ts';
import { isNumericArray, type AnalysisDefinition } from '../analysis/definition.ts';
import type { AnalysedRun } from '../analysis/run.ts';
import { ANALYSES, type AnalysisName, type AnalysisResult } from '../analysis/table.ts';
import { faultIn } from '../base/faults.ts';
import { UserError } from '../base/errors.ts';
import { readArray, type ArraySink, type ByteSource } from './arrays.ts';
import { ARRAY_KEY } from './format.ts';
import type { ArrayRef, KeptAnalysis, Trace, TraceBlock } from './schema.ts';

/** The run as analyses see it: its latents' vectors are read, nothing else of its arrays. */
export async function analysedRun(trace: Trace, source: ByteSource): Promise<AnalysedRun> {
  const latents: AnalysedRun['latents'][number][] = [];
  for (const { block, index, token, vector } of trace.latents)
    latents.push({ block, index, token, vector: (await readArray(source, vector)).data });
  return {
    promptIds: trace.prompt.ids,
    tokens: trace.tokens.map(({ id, text, kind }) => ({ id, text, kind })),
    blocks: trace.blocks.map((block) => ({
      startToken: block.startToken,
      latents: block.latents,
      endToken: block.endToken,
      ...(isEmptied(block, trace) && { emptied: true }),
    })),
    latents,
    pictures: trace.pictures.map(({ id, name, grid, range }) => ({
      id,
      name,
      rows: grid.rows,
      columns: grid.columns,
      ...(range !== undefined && { start: range.start }),
    })),
  };
}

/** A block that ends by the protocol before it is full was ended by an intervention (markers). */
export function isEmptied(
  { ended, latents }: Pick<TraceBlock, 'ended' | 'latents'>,
  { model: { latentSize }, settings, branch }: Trace,
): boolean {
  if (settings.intervention !== 'markers' && branch?.replacedBefore !== true) return false;
  return ended === 'forced' && latentSize !== undefined && latents < latentSize;
}

/** What tells an analysis from others of the same run. */
export interface AnalysisKey<Name extends AnalysisName = AnalysisName> {
  method: Name;
  /** All, defaults included. */
  parameters: Record<string, unknown>;
  other?: string | undefined;
}

/** The analysis of today's version that the trace keeps under this key. */
export function keptAnalysis(trace: Trace, key: AnalysisKey): KeptAnalysis | undefined {
  const { version } = ANALYSES[key.method];
  return trace.analyses?.find((kept) => kept.version === version && isSame(kept, key));
}

type AnyKey = Pick<KeptAnalysis, 'method' | 'parameters' | 'other'>;

function isSame(a: AnyKey, b: AnyKey): boolean {
  const text = ({ method, parameters, other }: AnyKey): string => {
    const sorted = Object.entries(parameters).toSorted(([first], [second]) => (first < second ? -1 : 1));
    return JSON.stringify([method, other ?? null, sorted]);
  };
  return text(a) === text(b);
}

/** Who computed an analysis, and whether to its end. */
export type AnalysisOrigin = Pick<KeptAnalysis, 'status' | 'model' | 'device'>;

/** The analysis as a trace keeps it; its arrays go to the sink. */
export async function storedAnalysis<Name extends AnalysisName>(
  { method, parameters, other }: AnalysisKey<Name>,
  result: AnalysisResult<Name>,
  { status, model, device }: AnalysisOrigin,
  sink: ArraySink,
): Promise<KeptAnalysis> {
  return {
    method,
    version: ANALYSES[method].version,
    createdAt: new Date().toISOString(),
    status,
    parameters,
    ...(other !== undefined && { other }),
    ...(model !== undefined && { model }),
    ...(device !== undefined && { device }),
    result: await withReferences(result, sink),
  };
}

/** Puts an analysis into the trace, in place of an earlier one under the same key; a part does not replace the whole. */
export function keepAnalysis(trace: Trace, analysis: KeptAnalysis): void {
  const kept = trace.analyses ?? [];
  const earlier = kept.find((each) => isSame(each, analysis));
  const isWhole = earlier?.status === 'complete' && earlier.version === analysis.version;
  if (isWhole && analysis.status === 'partial') return;
  trace.analyses = [...kept.filter((each) => each !== earlier), analysis];
}

/** The last one kept, whatever its parameters: of today's version, or else of another. */
export function newestAnalysis({ analyses }: Trace, method: AnalysisName): KeptAnalysis | undefined {
  const kept = analyses?.filter((other) => other.method === method) ?? [];
  return kept.findLast((each) => otherVersion(each) === undefined) ?? kept.at(-1);
}

/** By which version of its method an analysis was computed, where that is not today's. */
export interface OtherVersion {
  version: number;
  today: number;
  createdAt: string;
}

/** @param analysis of a method that is known */
export function otherVersion({
  method,
  version,
  createdAt,
}: Pick<KeptAnalysis, 'method' | 'version' | 'createdAt'>): OtherVersion | undefined {
  const { version: today } = ANALYSES[method as AnalysisName];
  return version === today ? undefined : { version, today, createdAt };
}

/**
 * A kept result with its arrays.
 * @throws UserError if another version of the method made it, its arrays are damaged, it has not the method's form, or
 *   does not fit the run
 */
export async function loadResult<Name extends AnalysisName>(
  method: Name,
  kept: KeptAnalysis,
  trace: Trace,
  source: ByteSource,
): Promise<AnalysisResult<Name>> {
  const other = otherVersion(kept);
  if (other === undefined) return loadAnyVersion(method, kept, trace, source);
  throw new UserError({
    problem: `This ${ANALYSES[method].title} was computed by another version of the method`,
    expected: `version ${other.today}`,
    found: `version ${other.version}`,
    remedy: 'Compute it again.',
  });
}

/**
 * The same of whatever version, as long as it has the form that results have today.
 * @throws UserError as `loadResult` does, but for the version
 */
export async function loadAnyVersion<Name extends AnalysisName>(
  method: Name,
  { result }: KeptAnalysis,
  trace: Trace,
  source: ByteSource,
): Promise<AnalysisResult<Name>> {
  const definition: AnalysisDefinition = ANALYSES[method];
  const whole = await withArrays(result, source);
  const parsed = definition.result.safeParse(whole);
  const claims = new Claims(definition.title, sizesOf(trace));
  if (!parsed.success) {
    const { path, expected, found } = faultIn(parsed.error, whole);
    return claims.fail(path === '' ? 'the result' : path, expected, found);
  }
  definition.check(parsed.data, claims);
  return parsed.data as AnalysisResult<Name>;
}

function sizesOf({ model, prompt, tokens, latents, blocks, pictures }: Trace): RunSizes {
  const { layers, heads } = model;
  return {
    layers,
    heads,
    latents: latents.length,
    blocks: blocks.length,
    prompt: prompt.ids.length,
    tokens: tokens.length,
    pictures: new Map(pictures.map(({ id, grid }) => [id, grid.rows * grid.columns])),
  };
}

async function withReferences(value: unknown, sink: ArraySink): Promise<unknown> {
  if (isNumericArray(value)) return { [ARRAY_KEY]: await sink.add('F32', value.shape, value.data) };
  return eachPart(value, (part) => withReferences(part, sink));
}

async function withArrays(value: unknown, source: ByteSource): Promise<unknown> {
  if (typeof value === 'object' && value !== null && ARRAY_KEY in value)
    return readArray(source, value[ARRAY_KEY] as ArrayRef);
  return eachPart(value, (part) => withArrays(part, source));
}

/** The value with each of its parts changed, in order. */
async function eachPart(value: unknown, change: (part: unknown) => Promise<unknown>): Promise<unknown> {
  if (typeof value !== 'object' || value === null) return value;
  const parts: [string, unknown][] = [];
  for (const [key, part] of Object.entries(value)) parts.push([key, await change(part)]);
  return Array.isArray(value) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
}
