/** `ilvr branch`: goes on from a point of a recorded run with something changed, as a trace of its own. */

import { randomUUID } from 'node:crypto';
import { InvalidArgumentError, type Command } from 'commander';
import { CancelledError, UserError } from '../base/errors.ts';
import { branchRequest, changesOf, type BranchChanges } from '../client/branchRequest.ts';
import type { ImageInput, LatentIntervention } from '../protocol/engine.ts';
import { readBytes } from '../trace/arrays.ts';
import { describeBranch } from '../trace/branch.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace, TracePicture } from '../trace/schema.ts';
import { stepsOf } from '../trace/steps.ts';
import { copyBeginning } from '../traceFile/container.ts';
import { openTrace, type OpenTrace } from '../traceFile/openTrace.ts';
import { EXIT, type CliContext } from './context.ts';
import { addModelOptions, integer, type ModelOptions } from './options.ts';
import { originalsOf } from './analyse.ts';
import { checkTracePath, conclude } from './reason.ts';
import { reportEvent } from './reporter.ts';
import { blocksOf, latentsOfFile, runRequest, vectorsOf } from './runRequest.ts';
import { withModel } from './session.ts';
import { label } from './terminal.ts';

interface BranchOptions extends ModelOptions {
  at?: string;
  with: Changed[];
  maxTokens?: number;
  image: string[];
  trace?: string;
}

type Changed = [name: string, value: string];

const ABOUT = `
Where (--at): "14", the token that is decided anew, counted from 1; "block:2", where block 2 begins; "latent:2.3", the third
latent of block 2; "step:4" as the text of the trace counts. A trace that is a branch itself may leave it out: it is run once more.

What (--with, may be repeated): text="left", written there; seed=3; temperature=0.7; latents=own, zero, noise, mean, shuffle,
dummy, markers, none, or swap:OTHER.ilvr.json; mask=ROW,COLUMN,ROW,COLUMN of the first picture, or PICTURE:…, its patches from
1, both corners included, which nothing from there on attends to. Without any, the run goes on as it did.`;

/** Adds the command. */
export function addBranch(program: Command, context: CliContext, finished: (code: number) => void): void {
  const command = program
    .command('branch')
    .description(
      'go on from a point of a recorded run with something changed; what stands before is not computed again',
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

function changed(text: string, earlier: Changed[]): Changed[] {
  const [, name, value] = /^(\w+)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [...earlier, [name, value]];
  throw new InvalidArgumentError(`Expected name=value, found "${text}".`);
}

async function branch(context: CliContext, file: string, options: BranchOptions): Promise<number> {
  const parent = await openTrace(file);
  try {
    const { trace, container } = parent;
    const at = placeOf(trace, options.at);
    const changes = await changesFrom(parent, options);
    if (options.trace !== undefined) await checkTracePath(options.trace, [file]);
    const pictures = await picturesOf(parent, options.image);
    const again = options.at === undefined ? { parent: trace.branch!.parent } : {};
    const { request, bytes } = await branchRequest({ trace, container, at, ...again }, changes, pictures);
    // Computed as the run was, unless another format is asked for.
    const { weights = options.weights } = trace.model;
    const asRun = options.weights === 'auto' ? { ...options, weights } : options;
    return await withModel(context, asRun, async ({ client }) => {
      context.terminal.line(label('branch'), describeBranch(request.branch!.record));
      const report = (run: Trace, event: ReasonEvent): void => reportEvent(context.terminal, run, event);
      const prepare = (arrays: string): Promise<void> => copyBeginning(container, bytes, arrays);
      const run = { signal: context.signal, report, prepare };
      return runRequest(client, { ...request, id: randomUUID() }, run, async ({ run: made, problem }) => {
        context.terminal.clearProgress();
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
  for (const [name, value] of options.with) {
    switch (name) {
      case 'text':
        changes.text = value;
        break;
      case 'seed':
        changes.seed = numberFrom(name, value, Number.isSafeInteger, 'a whole number');
        break;
      case 'temperature':
        changes.temperature = numberFrom(
          name,
          value,
          (number) => number >= 0 && Number.isFinite(number),
          'a number from 0',
        );
        break;
      case 'latents':
        changes.intervention = await interventionFrom(parent, value);
        break;
      case 'mask':
        changes.mask = maskFrom(parent.trace, value);
        break;
      default:
        throw new UserError({
          problem: 'This cannot be changed in a branch',
          expected: '--with text, seed, temperature, latents or mask',
          found: name,
        });
    }
  }
  return { ...changes, ...(options.maxTokens !== undefined && { maxTokens: options.maxTokens }) };
}

function numberFrom(name: string, text: string, isOne: (value: number) => boolean, expected: string): number {
  const value = Number(text);
  if (text.trim() !== '' && isOne(value)) return value;
  throw new UserError({ problem: `This is no ${name}`, expected, found: text });
}

async function interventionFrom(parent: OpenTrace, text: string): Promise<LatentIntervention | 'own'> {
  const [kind = '', ...rest] = text.split(':');
  switch (kind) {
    case 'own':
    case 'zero':
    case 'dummy':
    case 'markers':
    case 'none':
      return kind === 'own' ? kind : { kind };
    case 'noise':
      return { kind, sample: 0 };
    case 'mean':
      return { kind, latents: await vectorsOf(parent) };
    case 'shuffle':
      return { kind, sample: 0, blocks: await blocksOf(parent) };
    case 'swap': {
      const file = rest.join(':');
      if (file === '') throw notFed(text);
      return { kind, latents: await latentsOfFile(file, parent.trace) };
    }
    default:
      throw notFed(text);
  }
}

function notFed(found: string): UserError {
  return new UserError({
    problem: 'These latents cannot be fed in a branch',
    expected: 'own, zero, noise, mean, shuffle, dummy, markers, none, or swap:FILE',
    found,
  });
}

/** "1,1,2,3" or "map.png:1,1,2,3": rows and columns of patches from 1, both corners included. */
function maskFrom({ pictures }: Trace, text: string): NonNullable<BranchChanges['mask']> {
  const [, name, corners = ''] = /^(?:(.*):)?([\d,\s]+)$/s.exec(text) ?? [];
  const picture = pictures.find((each) =>
    name === undefined ? each.range !== undefined : each.name === name,
  );
  const [top = 0, left = 0, bottom = 0, right = 0] = corners.split(',').map(Number);
  const { rows = 0, columns = 0 } = picture?.grid ?? {};
  const fits = top >= 1 && left >= 1 && top <= bottom && left <= right && bottom <= rows && right <= columns;
  if (picture === undefined || !fits) {
    throw new UserError({
      problem:
        picture === undefined
          ? 'The run has no such picture to hide from'
          : 'This region is not within the picture',
      expected:
        picture === undefined
          ? `a picture of the run: ${pictures.map((each) => each.name).join(', ')}`
          : `ROW,COLUMN,ROW,COLUMN from 1,1 to ${rows},${columns} of ${picture.name}`,
      found: text,
    });
  }
  const patches: number[] = [];
  for (let row = top - 1; row < bottom; row++)
    for (let column = left - 1; column < right; column++) patches.push(row * columns + column);
  return { picture: picture.id, patches };
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
