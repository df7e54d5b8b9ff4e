/** `ilvr figure`: a latent's map, or a block's in a row, as SVG or as CSV. */

import { realpath } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { csvOf } from '../figure/csv.ts';
import { drawnText, mapsFigure, originText, rowTitle } from '../figure/maps.ts';
import { svgOf } from '../figure/svg.ts';
import { replaceFile, targetOf } from '../files/replaceFile.ts';
import { CONTOUR_SHARE, STRENGTH } from '../heatmap/constants.ts';
import { LAWS, type Law } from '../heatmap/law.ts';
import { MAP_KINDS, type HeatMap, type MapKind } from '../heatmap/map.ts';
import { openingOf } from '../trace/opening.ts';
import { latentsOf } from '../trace/steps.ts';
import type { TraceLatent } from '../trace/schema.ts';
import { openTrace, type OpenTrace } from '../traceFile/openTrace.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer } from './options.ts';

interface FigureOptions {
  /** Counted from 1, as a reader does. */
  latent?: number;
  block?: number;
  layer?: number;
  head?: number;
  picture?: number;
  kind?: MapKind;
  law: Law;
  out: string;
}

/** Adds the command. */
export function addFigure(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('figure')
    .description("draw a latent's map, or a block's in a row, as SVG; with an ending .csv, its numbers")
    .argument('<trace>', 'trace of the run')
    .option(
      '--latent <n>',
      'which latent of the run, counted from 1; without it the one that looks at the pictures most',
      integer('latent', 1),
    )
    .addOption(
      new Option('--block <n>', 'all latents of this block, in a row')
        .argParser(integer('block', 1))
        .conflicts('latent'),
    )
    .option('--layer <n>', 'layer; without it the one whose latents look most', integer('layer', 1))
    .option('--head <n>', 'head; without it the mean of all', integer('head', 1))
    .option('--picture <n>', 'which picture', integer('picture', 1))
    .addOption(new Option('--kind <kind>', 'kind of map').choices(MAP_KINDS))
    .addOption(new Option('--law <law>', 'how it is drawn').choices(LAWS).default('spotlight'))
    .requiredOption('--out <file>', 'file to write, .svg or .csv')
    .action(async (trace: string, options: FigureOptions) => {
      finished(await writeFigure(context, trace, options));
    });
}

async function writeFigure({ terminal }: CliContext, file: string, options: FigureOptions): Promise<number> {
  const open = await openTrace(file);
  try {
    await checkOut(options.out, file);
    await replaceFile(options.out, await contentOf(open, options));
    terminal.line(options.out);
    return EXIT.ok;
  } finally {
    await open.close();
  }
}

/** @throws UserError if a figure cannot be written there, or would replace the trace or its arrays */
async function checkOut(out: string, trace: string): Promise<void> {
  const wrong = (problem: string, expected: string): UserError =>
    new UserError({ problem, expected, found: out, remedy: 'Name another file after --out.' });
  if (!/\.(svg|csv)$/i.test(out))
    throw wrong('A figure is not written in this form', 'a name that ends in .svg or .csv');
  if ((await targetOf(out)) === (await realpath(trace)))
    throw wrong('The figure would replace its trace', 'another file');
}

async function contentOf(open: OpenTrace, options: FigureOptions): Promise<string> {
  const { trace, maps: all } = open;
  const picture = nth(trace.pictures, options.picture ?? 1, 'picture');
  const latents = chosenLatents(open, options);
  const selector = all.opening(picture, options.kind);
  if (options.layer !== undefined) selector.layer = within(options.layer, trace.model.layers, 'layer');
  if (options.head !== undefined) selector.heads = within(options.head, trace.model.heads, 'head');
  await all.load(selector);
  const maps = latents.flatMap((latent) => {
    const map = all.map(latent, selector);
    return map === undefined ? [] : [{ map, label: `block ${latent.block + 1} latent ${latent.index + 1}` }];
  });
  if (maps.length === 0)
    throw new UserError({ problem: `The trace holds no ${selector.kind} over ${picture.name}` });
  if (/\.csv$/i.test(options.out)) return numbersOf(maps);
  const drawing = { law: options.law, scale: all.scale(selector, 'raw', 'run'), strength: STRENGTH };
  const { block } = latents[0]!;
  const [first] = maps;
  const title =
    maps.length > 1
      ? rowTitle(block, maps.length, picture.name)
      : `Block ${block + 1}, latent ${latents[0]!.index + 1} over ${picture.name}`;
  const caption = [title, first!.map.caption, drawnText(drawing, 'the run'), originText(trace)];
  return svgOf(
    mapsFigure({ maps, picture: await open.picture(picture), drawing, contour: CONTOUR_SHARE, caption }),
  );
}

function chosenLatents({ trace }: OpenTrace, { latent, block }: FigureOptions): TraceLatent[] {
  if (block !== undefined) {
    const latents = latentsOf(trace, block - 1);
    if (latents.length > 0) return latents;
    throw new UserError({ problem: 'This trace has no latents in such a block', found: String(block) });
  }
  return [nth(trace.latents, latent ?? openingOf(trace).latent() + 1, 'latent')];
}

/** A row per patch, a column per latent. */
function numbersOf(maps: { map: HeatMap; label: string }[]): string {
  const { map } = maps[0]!;
  const rows = [...map.values.keys()].map((patch) => [
    Math.floor(patch / map.columns) + 1,
    (patch % map.columns) + 1,
    ...maps.map((other) => other.map.values[patch]),
  ]);
  return csvOf(['row', 'column', ...maps.map(({ label }) => label)], rows);
}

function nth<Item>(items: readonly Item[], place: number, what: string): Item {
  return items[within(place, items.length, what)]!;
}

function within(place: number, count: number, what: string): number {
  if (place <= count) return place - 1;
  throw new UserError({
    problem: `This trace has no such ${what}`,
    expected: `1 to ${count}`,
    found: String(place),
  });
}
