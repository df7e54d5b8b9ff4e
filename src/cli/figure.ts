/** `ilvr figure`: a latent's map, a block's in a row, or a chart, as SVG, PNG or CSV. */

import { realpath } from 'node:fs/promises';
import { extname } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import sharp from 'sharp';
import { ANALYSES, type AnalysisName } from '../analysis/table.ts';
import { UserError } from '../base/errors.ts';
import { MEASURES, type MeasureId } from '../evidence/relevance.ts';
import { PLANES, type Plane } from '../evidence/scatter.ts';
import { SHARES, type Shares } from '../evidence/sources.ts';
import type { Chart, ChartChoices, ChartResult, ChartSource } from '../figure/chart.ts';
import { CHART_NAMES, CHARTS, type ChartKind, type ChartName } from '../figure/charts.ts';
import { csvOf } from '../figure/csv.ts';
import { drawnText, mapNumbers, mapsFigure, originText, rowTitle } from '../figure/maps.ts';
import { svgOf } from '../figure/svg.ts';
import { replaceFile, targetOf } from '../files/replaceFile.ts';
import { CONTOUR_SHARE, STRENGTH } from '../heatmap/constants.ts';
import { LAWS, type Law } from '../heatmap/law.ts';
import { MAP_KINDS, type MapKind } from '../heatmap/map.ts';
import { loadResult, newestAnalysis } from '../trace/analyses.ts';
import type { Choice } from '../trace/choice.ts';
import { openingOf } from '../trace/opening.ts';
import { latentsOf } from '../trace/steps.ts';
import type { TraceLatent } from '../trace/schema.ts';
import { openTrace, type OpenTrace } from '../traceFile/openTrace.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer } from './options.ts';
import { requireEnding, UsageError } from './usage.ts';

/** What is drawn and how; counted from 1, as a reader does. What is absent has a default of its own. */
interface Chosen {
  latent?: number;
  block?: number;
  layer?: Choice;
  head?: Choice;
  picture?: number;
  kind?: MapKind;
  law?: Law;
  shares?: Shares;
  axes?: Plane;
  measure?: MeasureId;
  token?: number;
}

interface FigureOptions extends Chosen {
  chart?: ChartName;
  out: string;
}

/** Which option sets what of a chart. */
const OPTION_OF: Record<keyof ChartChoices, keyof Chosen> = {
  layer: 'layer',
  heads: 'head',
  shares: 'shares',
  latent: 'latent',
  picture: 'picture',
  plane: 'axes',
  measure: 'measure',
  token: 'token',
};

const FORMS = ['.svg', '.png', '.csv'];

/** Adds the command. */
export function addFigure(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('figure')
    .description("draw a latent's map, a block's in a row, or a chart, as SVG or PNG; as CSV, its numbers")
    .argument('<trace>', 'trace of the run')
    .addOption(new Option('--chart <name>', 'a chart instead of a map').choices(CHART_NAMES))
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
    .option('--layer <n>', 'layer, mean or max; without it the one whose latents look most', choice('layer'))
    .option('--head <n>', 'head, mean or max; without it the mean of all', choice('head'))
    .option('--picture <n>', 'which picture', integer('picture', 1))
    .addOption(new Option('--kind <kind>', 'kind of map').choices(MAP_KINDS))
    .addOption(new Option('--law <law>', 'how a map is drawn: spotlight unless told').choices(LAWS))
    .addOption(new Option('--shares <of>', 'of the sources: what the shares are of').choices(SHARES))
    .option('--axes <a,b>', 'of PCA: which two of the first three components, 1,2 unless told', plane)
    .addOption(new Option('--measure <name>', 'of relevance: by what it is measured').choices(MEASURES))
    .option('--token <n>', 'of attention: which of the tokens it was computed for', integer('token', 1))
    .requiredOption('--out <file>', 'file to write: .svg, .png or .csv')
    .addHelpText('after', ABOUT)
    .action(async (trace: string, options: FigureOptions) => {
      finished(await writeFigure(context, trace, options));
    });
}

const ABOUT = `
Charts, and what can be chosen of each:
${CHART_NAMES.map((name) => `  ${name}: ${optionsOf(CHARTS[name]).join(', ') || 'nothing'}`).join('\n')}
${CHART_NAMES.filter((name) => needOf(name) !== undefined).join(', ')} are drawn from what \`ilvr analyse --save\` keeps in the trace.`;

function needOf(name: ChartName): AnalysisName | undefined {
  const chart: ChartKind = CHARTS[name];
  return chart.needs;
}

function optionsOf({ uses }: Pick<ChartKind, 'uses'>): string[] {
  return uses.map((choiceName) => `--${OPTION_OF[choiceName]}`);
}

/** A layer or head: counted from 1 in the option, from 0 in what it becomes. */
function choice(what: string): (text: string) => Choice {
  const number = integer(what, 1);
  return (text) => (text === 'mean' || text === 'max' ? text : number(text) - 1);
}

function plane(text: string): Plane {
  const wanted = text.replaceAll(/\d/g, (digit) => String(Number(digit) - 1)).replace(/[,x]/, ' ');
  const found = PLANES.find((other) => other === wanted);
  if (found === undefined) throw new InvalidArgumentError('Expected 1,2 or 1,3 or 2,3.');
  return found;
}

async function writeFigure({ terminal }: CliContext, file: string, options: FigureOptions): Promise<number> {
  requireEnding(options.out, FORMS, 'A figure');
  requireUseful(options);
  const open = await openTrace(file);
  try {
    if ((await targetOf(options.out)) === (await realpath(file))) {
      throw new UserError({
        problem: 'The figure would replace its trace',
        expected: 'another file',
        found: options.out,
        remedy: 'Name another file after --out.',
      });
    }
    const drawn = options.chart === undefined ? await mapOf(open, options) : await chartOf(open, options);
    await replaceFile(options.out, await contentOf(drawn, extname(options.out).toLowerCase()));
    terminal.line(options.out);
    return EXIT.ok;
  } finally {
    await open.close();
  }
}

/** A figure must not look as if an option had been obeyed that did nothing. @throws UsageError naming the first */
function requireUseful(options: FigureOptions): void {
  const { chart, kind, out } = options;
  const useful: string[] =
    chart === undefined
      ? ['--latent', '--block', '--picture', '--kind', ...(isNumbers(out) ? [] : ['--law'])]
      : optionsOf(CHARTS[chart]);
  if (chart === undefined && (kind ?? 'attention') === 'attention') useful.push('--layer', '--head');
  const idle = (['kind', 'law', 'block', ...Object.values(OPTION_OF)] as const).find(
    (name) => options[name] !== undefined && !useful.includes(`--${name}`),
  );
  if (idle === undefined) return;
  throw new UsageError({
    problem: `--${idle} does nothing ${isNumbers(out) ? 'in the numbers ' : ''}of ${chart === undefined ? `a map of ${kind ?? 'attention'}` : `the chart ${chart}`}`,
    expected: useful.length === 0 ? 'no such options' : `some of ${useful.join(', ')}`,
    remedy: 'Leave it out.',
  });
}

function isNumbers(out: string): boolean {
  return extname(out).toLowerCase() === '.csv';
}

async function contentOf({ figure, numbers }: Chart, form: string): Promise<string | Uint8Array> {
  if (form === '.csv') return csvOf(numbers);
  const svg = svgOf(figure);
  // Two pixels for each of the figure's units, as the panel draws it: sharp in print.
  return form === '.svg' ? svg : sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
}

async function mapOf(open: OpenTrace, options: FigureOptions): Promise<Chart> {
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
  const drawing = {
    law: options.law ?? 'spotlight',
    scale: all.scale(selector, 'raw', 'run'),
    strength: STRENGTH,
  };
  const { block } = latents[0]!;
  const [first] = maps;
  const title =
    maps.length > 1
      ? rowTitle(block, maps.length, picture.name)
      : `Block ${block + 1}, latent ${latents[0]!.index + 1} over ${picture.name}`;
  const caption = [title, first!.map.caption, drawnText(drawing, 'the run'), originText(trace)];
  const ground = await open.picture(picture);
  return {
    figure: mapsFigure({ maps, picture: ground, drawing, contour: CONTOUR_SHARE, caption }),
    numbers: mapNumbers(maps),
  };
}

async function chartOf(open: OpenTrace, options: FigureOptions): Promise<Chart> {
  const { trace, maps } = open;
  const name = options.chart!;
  const chart: ChartKind = CHARTS[name];
  const { needs } = chart;
  if (needs !== undefined && newestAnalysis(trace, needs) === undefined) {
    throw new UserError({
      problem: `The trace does not keep what the chart ${name} is made of`,
      remedy: `Compute it first: ilvr analyse TRACE ${needs} --save`,
    });
  }
  const source: ChartSource = {
    trace,
    maps,
    found: (analysis) => resultOf(open, analysis),
    png: async (picture) => (await open.picture(picture)).png,
  };
  const drawn = await chart.draw(source, choicesOf(open, options));
  if (drawn !== undefined) return drawn;
  throw new UserError({ problem: `The trace holds nothing for the chart ${name}` });
}

/** A chart may also do without, so that nothing here says that it is missing. */
async function resultOf<Name extends AnalysisName>(
  { trace, container }: OpenTrace,
  name: Name,
): Promise<ChartResult<Name> | undefined> {
  const kept = newestAnalysis(trace, name);
  if (kept === undefined) return undefined;
  const { model, device } = kept;
  return {
    result: await loadResult(name, kept, trace, container),
    method: ANALYSES[name].method,
    model: model?.name,
    device: device && `${device.provider} (${device.name})`,
  };
}

function choicesOf(open: OpenTrace, options: Chosen): ChartChoices {
  const { trace } = open;
  const { layers, heads } = trace.model;
  const opening = openingOf(trace);
  const { latent, picture, token } = options;
  return {
    layer: options.layer === undefined ? opening.layer() : within(options.layer, layers, 'layer'),
    heads: options.head === undefined ? 'mean' : within(options.head, heads, 'head'),
    shares: options.shares ?? 'all',
    latent: latent === undefined ? opening.latent() : within(latent - 1, trace.latents.length, 'latent'),
    picture: trace.pictures.length === 0 ? '' : nth(trace.pictures, picture ?? 1, 'picture').id,
    plane: options.axes ?? '0 1',
    measure: options.measure ?? 'rollout',
    token: token === undefined ? 0 : within(token - 1, trace.tokens.length, 'token'),
  };
}

function chosenLatents({ trace }: OpenTrace, { latent, block }: FigureOptions): TraceLatent[] {
  if (block !== undefined) {
    const latents = latentsOf(trace, block - 1);
    if (latents.length > 0) return latents;
    throw new UserError({
      problem: 'This trace has no latents in such a block',
      expected: trace.blocks.length === 0 ? 'a trace with blocks' : `1 to ${trace.blocks.length}`,
      found: String(block),
    });
  }
  return [nth(trace.latents, latent ?? openingOf(trace).latent() + 1, 'latent')];
}

/** @param place counted from 1 */
function nth<Item>(items: readonly Item[], place: number, what: string): Item {
  return items[within(place - 1, items.length, what)]!;
}

/** @param place counted from 0 */
function within<Place extends Choice>(place: Place, count: number, what: string): Place {
  if (typeof place !== 'number' || place < count) return place;
  throw new UserError({
    problem: `This trace has no such ${what}`,
    expected: `1 to ${count}`,
    found: String(place + 1),
  });
}
