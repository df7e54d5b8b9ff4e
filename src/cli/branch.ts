/** `ilvr branch`: goes on from a point of a recorded run with something changed, as a trace of its own. */

import { randomUUID } from 'node:crypto';
import { InvalidArgumentError, type Command } from 'commander';
import { CancelledError, unreachable, UserError } from '../base/errors.ts';
import { branchRequest, changesOf, checkBranch, type BranchChanges } from '../client/branchRequest.ts';
import { blocksOf, targetsOf, vectorsOf } from '../client/latents.ts';
import { FED, type Fed } from '../evaluation/fed.ts';
import type { ImageInput } from '../protocol/engine.ts';
import { readBytes } from '../trace/arrays.ts';
import { describeBranch } from '../trace/branch.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace, TracePicture } from '../trace/schema.ts';
import { stepsOf } from '../trace/steps.ts';
import { copyBeginning } from '../traceFile/container.ts';
import { openTrace, type OpenTrace } from '../traceFile/openTrace.ts';
import { EXIT, type CliContext } from './context.ts';
import { addModelOptions, integer, readWith, type ModelOptions } from './options.ts';
import { originalsOf } from './analyse.ts';
import { checkTracePath, conclude } from './reason.ts';
import { reportEvent } from './reporter.ts';
import { regionFrom, regionIn, REGION_FORM, type Region } from './region.ts';
import { latentsOfFile, runRequest } from './runRequest.ts';
import { withModelOf } from './asRun.ts';
import { label } from './terminal.ts';

interface BranchOptions extends ModelOptions {
  at?: string;
  with: Changed[];
  maxTokens?: number;
  image: string[];
  trace?: string;
}

/** What --with says, as far as it can be read without the run. */
type Changed =
  | { name: 'text'; text: string }
  | { name: 'seed' | 'temperature'; value: number }
  | { name: 'latents'; kind: Fed; file?: string }
  | { name: 'mask'; region: Region };

const ABOUT = `
Where (--at): "14", the token that is decided anew, counted from 1; "block:2", where block 2 begins; "latent:2.3", the third
latent of block 2; "step:4" as the text of the trace counts. A trace that is a branch itself may leave it out: it is run once more.

What (--with NAME=VALUE, each name once): text=left, written there, or in quotes as JSON, text='"left\\n"'; seed=3;
temperature=0.7; latents=own, zero, noise, mean, shuffle, oracle, dummy, markers, none, or swap:OTHER.ilvr.json, where oracle
is what the trainer's teacher selects from the helper pictures that the run keeps; mask=${REGION_FORM}, patches of the first
picture from 1, both corners included, or mask=PICTURE:${REGION_FORM} with the picture's file name, which nothing from there on
attends to. Without any, the run goes on as it did. The prompt is read again, with its pictures; what the run had written is
taken from the trace and not decided again.`;

/** Adds the command. */
export function addBranch(program: Command, context: CliContext, finished: (code: number) => void): void {
  const command = program
    .command('branch')
    .description(
      'go on from a point of a recorded run with something changed; what it had written before stays as it was',
    )
    .argument('<trace>', 'trace of the run');
  addModelOptions(command)
    .option('--at <place>', 'where: a token, block, latent or step')
    .option('--with <name=value>', 'what is other from there on; may be repeated', changed, [])
    .option(
      '--max-tokens <n>',
      "longest answer, latents included (default: the run's own)",
      integer('a number of tokens', 1),
    )
    .option('--image <image...>', 'original pictures, by their names: a trace keeps large ones reduced', [])
    .option('--trace <out>', 'write the trace of the branch there')
    .addHelpText('after', ABOUT)
    .action(async (trace: string, options: BranchOptions) => {
      finished(await branch(context, trace, options));
    });
}

/** @throws InvalidArgumentError for what is no change, or is changed twice */
function changed(text: string, earlier: Changed[]): Changed[] {
  const [, name, value] = /^(\w+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError(`Expected name=value, found "${text}".`);
  if (earlier.some((each) => each.name === name))
    throw new InvalidArgumentError(`"${name}" is given twice; a branch has one change of each kind.`);
  return [...earlier, readWith(() => changeFrom(name, value))(value)];
}

function changeFrom(name: string, value: string): Changed {
  switch (name) {
    case 'text':
      return { name, text: requireText(textFrom(value)) };
    case 'seed':
      return { name, value: numberFrom(name, value, Number.isSafeInteger, 'a whole number') };
    case 'temperature': {
      const isOne = (number: number): boolean => number >= 0 && Number.isFinite(number);
      return { name, value: numberFrom(name, value, isOne, 'a number from 0') };
    }
    case 'latents':
      return { name, ...latentsFrom(value) };
    case 'mask':
      return { name, region: regionFrom(value) };
    default:
      throw new UserError({
        problem: 'This cannot be changed in a branch',
        expected: '--with text, seed, temperature, latents or mask',
        found: name,
      });
  }
}

/** A text in quotes is JSON, as in `ilvr analyse --set`; any other is taken as it is. */
function textFrom(value: string): string {
  if (!/^".*"$/s.test(value)) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}

function requireText(text: string): string {
  if (text !== '') return text;
  throw new UserError({
    problem: 'The text to write is empty',
    expected: 'text=WORDS',
    found: 'text=',
    remedy: 'Give a text, or leave out --with text.',
  });
}

function numberFrom(name: string, text: string, isOne: (value: number) => boolean, expected: string): number {
  const value = Number(text);
  if (text.trim() !== '' && isOne(value)) return value;
  throw new UserError({ problem: `This is no ${name}`, expected, found: text });
}

/** "zero" or "swap:other.ilvr.json" */
function latentsFrom(text: string): { kind: Fed; file?: string } {
  const [word = '', ...rest] = text.split(':');
  const kind = FED.find((fed) => fed === word);
  const file = rest.join(':');
  if (kind !== undefined && (kind === 'swap') === (file !== '') && (kind === 'swap' || rest.length === 0))
    return { kind, ...(file !== '' && { file }) };
  throw new UserError({
    problem: 'These latents cannot be fed in a branch',
    expected: `${FED.filter((fed) => fed !== 'swap').join(', ')}, or swap:FILE`,
    found: text,
  });
}

async function branch(context: CliContext, file: string, options: BranchOptions): Promise<number> {
  const parent = await openTrace(file);
  try {
    const { trace, container } = parent;
    const at = placeOf(trace, options.at);
    const changes = await changesFrom(parent, options);
    if (options.trace !== undefined) {
      const traces = options.with.flatMap((each) => ('file' in each ? (each.file ?? []) : []));
      await checkTracePath(options.trace, { pictures: options.image, traces: [file, ...traces] });
    }
    checkBranch(trace, at, changes);
    const pictures = await picturesOf(parent, options.image);
    const again = options.at === undefined ? { parent: trace.branch!.parent } : {};
    return await withModelOf(context, { trace, options }, async ({ client }) => {
      const { signal, terminal } = context;
      const teacher = (): Promise<Float32Array[][]> => targetsOf(client, parent, signal);
      const point = { trace, container, at, teacher, ...again };
      const { request, bytes } = await branchRequest(point, changes, pictures);
      terminal.line(label('branch'), describeBranch(request.branch!.record));
      const report = (run: Trace, event: ReasonEvent): void => reportEvent(terminal, run, event);
      const prepare = (arrays: string): Promise<void> => copyBeginning(container, bytes, arrays);
      const run = { signal, report, prepare };
      return runRequest(client, { ...request, id: randomUUID() }, run, async ({ run: made, problem }) => {
        terminal.clearProgress();
        if (made !== undefined) await conclude(context, made, options.trace);
        if (problem instanceof CancelledError) return EXIT.cancelled;
        if (problem !== undefined) throw problem;
        return EXIT.ok;
      });
    });
  } finally {
    await parent.close();
  }
}

/** Index of the token that is decided anew. */
function placeOf(trace: Trace, text: string | undefined): number {
  if (text === undefined && trace.branch !== undefined) return trace.branch.at;
  const [, kind = 'token', first = '', second] =
    /^(?:(token|block|latent|step):)?(\d+)(?:\.(\d+))?$/.exec(text ?? '') ?? [];
  const n = Number(first) - 1;
  const found =
    first === ''
      ? undefined
      : kind === 'token'
        ? n
        : kind === 'block'
          ? trace.blocks[n]?.startToken
          : kind === 'latent'
            ? trace.latents.find(({ block, index }) => block === n && index === Number(second ?? 1) - 1)
                ?.token
            : stepsOf(trace)[n]?.first;
  if (found !== undefined && found >= 0) return found;
  throw new UserError({
    problem: 'This is no place of the run',
    expected: `--at with a token from 1 to ${trace.tokens.length}, "block:N" up to ${trace.blocks.length}, "latent:N.M" or "step:N"`,
    found: text ?? 'none',
  });
}

async function changesFrom(parent: OpenTrace, options: BranchOptions): Promise<BranchChanges> {
  const changes: BranchChanges = options.at === undefined ? changesOf(parent.trace) : {};
  for (const change of options.with) {
    switch (change.name) {
      case 'text':
        changes.text = change.text;
        break;
      case 'seed':
        changes.seed = change.value;
        break;
      case 'temperature':
        changes.temperature = change.value;
        break;
      case 'latents':
        changes.intervention = await interventionFrom(parent, change);
        break;
      case 'mask': {
        const { picture, patches } = regionIn(parent.trace, change.region);
        changes.mask = { picture: picture.id, patches };
        break;
      }
      default:
        unreachable(change);
    }
  }
  return { ...changes, ...(options.maxTokens !== undefined && { maxTokens: options.maxTokens }) };
}

async function interventionFrom(
  parent: OpenTrace,
  { kind, file }: { kind: Fed; file?: string },
): Promise<NonNullable<BranchChanges['intervention']>> {
  switch (kind) {
    case 'own':
    case 'oracle':
      return kind;
    case 'zero':
    case 'dummy':
    case 'markers':
    case 'none':
      return { kind };
    case 'noise':
      return { kind, sample: 0 };
    case 'mean':
      return { kind, latents: await vectorsOf(parent) };
    case 'shuffle':
      return { kind, sample: 0, blocks: await blocksOf(parent) };
    case 'swap':
      return { kind, latents: await latentsOfFile(file!, parent.trace) };
    default:
      return unreachable(kind);
  }
}

/** As the trace keeps them, or the originals that were given. */
async function picturesOf(
  { trace, container }: OpenTrace,
  paths: readonly string[],
): Promise<{ images: ImageInput[]; helpers: ImageInput[] }> {
  const originals = await originalsOf(trace.pictures, paths);
  const of = async (role: TracePicture['role']): Promise<ImageInput[]> => {
    const inputs: ImageInput[] = [];
    for (const { id, name, png, role: its } of trace.pictures)
      if (its === role) inputs.push({ name, bytes: originals.get(id) ?? (await readBytes(container, png)) });
    return inputs;
  };
  return { images: await of('input'), helpers: await of('helper') };
}
