/** The figures of an evaluation as a table for a paper: Markdown, LaTeX (booktabs) or CSV. */

import { csvOf, type Cell, type NumberTable } from '../figure/csv.ts';
import { unreachable } from '../base/errors.ts';
import { couldShowLoss, effectsOf, tooFewRight, type Effect, type FedResults } from './comparison.ts';
import { FED_NAMES, type Fed } from './fed.ts';
import { meansOf, shareOf, shareOfSize, sizesOf, type Mean, type Share } from './figures.ts';
import type { SampleResult } from './results.ts';
import { interval, percent, points, probability, significant } from './words.ts';

export const TABLE_FORMS = ['markdown', 'latex', 'csv'] as const;
export type TableForm = (typeof TABLE_FORMS)[number];

export interface PaperTable {
  heads: string[];
  rows: string[][];
  /** What the columns are, as sentences. */
  notes: string[];
  /** The same for a program: a figure a cell, in full; shares and differences of shares from -1 to 1. */
  numbers: NumberTable;
}

/** A column as a reader gets it, and the figures that it is made of. */
export interface PaperColumn<Row> {
  head: string;
  text: (row: Row) => string;
  numbers: readonly (readonly [head: string, value: (row: Row) => Cell])[];
}

export function tableOf<Row>(
  columns: readonly PaperColumn<Row>[],
  rows: readonly Row[],
  notes: string[],
): PaperTable {
  const numbers = columns.flatMap((column) => column.numbers);
  return {
    heads: columns.map(({ head }) => head),
    rows: rows.map((row) => columns.map(({ text }) => text(row))),
    notes,
    numbers: {
      heads: numbers.map(([head]) => head),
      rows: rows.map((row) => numbers.map(([, value]) => value(row))),
    },
  };
}

interface PassRow {
  fed: Fed;
  results: readonly SampleResult[];
  share: Share;
  /** Against own; absent for own itself, and where no sample is in both. */
  effect?: Effect | undefined;
  tested?: Tested | undefined;
}

type Tested = ReturnType<typeof meansOf>;

/** A row for each pass: success with its interval, per size, and against own. */
export function paperTable(passes: readonly FedResults[]): PaperTable {
  const sizes = sizesOf(passes.flatMap(({ results }) => results));
  const effects = new Map(effectsOf(passes).map((effect) => [effect.fed as Fed, effect]));
  const tested = testsOf(passes);
  const rows = passes.map(({ fed, results }): PassRow => {
    const effect = effects.get(fed);
    return {
      fed,
      results,
      share: shareOf(results.map(({ success }) => success)),
      effect: effect?.samples === 0 ? undefined : effect,
      tested: fed === 'own' ? tested : undefined,
    };
  });
  const columns: PaperColumn<PassRow>[] = [
    { head: 'latents', text: ({ fed }) => FED_NAMES[fed], numbers: [['latents', ({ fed }) => fed]] },
    ...shareColumns<PassRow>(({ share }) => share),
    ...sizes.map(sizeColumn),
    ...(effects.size > 0 ? EFFECT_COLUMNS : []),
    ...(tested === undefined ? [] : TEST_COLUMNS),
  ];
  return tableOf(columns, rows, notesOf([...effects.values()], tested));
}

/** Right ones of all, their share and its interval. */
export function shareColumns<Row>(shareIn: (row: Row) => Share): PaperColumn<Row>[] {
  const known = (row: Row, value: (share: Share) => number): number | undefined => {
    const share = shareIn(row);
    return share.of === 0 ? undefined : value(share);
  };
  return [
    {
      head: 'right',
      text: (row) => `${shareIn(row).right}/${shareIn(row).of}`,
      numbers: [
        ['right', (row) => shareIn(row).right],
        ['of', (row) => shareIn(row).of],
      ],
    },
    {
      head: 'share',
      text: (row) => {
        const { right, of } = shareIn(row);
        return of === 0 ? '' : percent(right / of);
      },
      numbers: [['share', (row) => known(row, ({ right, of }) => right / of)]],
    },
    {
      head: '95 % interval',
      text: (row) => (shareIn(row).of === 0 ? '' : interval(shareIn(row))),
      numbers: [
        ['share from', (row) => known(row, ({ low }) => low)],
        ['share to', (row) => known(row, ({ high }) => high)],
      ],
    },
  ];
}

function sizeColumn(size: number): PaperColumn<PassRow> {
  const of = ({ results }: PassRow): Share => shareOfSize(results, size);
  return {
    head: `${size} × ${size}`,
    text: (row) => `${of(row).right}/${of(row).of}`,
    numbers: [
      [`right ${size}x${size}`, (row) => of(row).right],
      [`of ${size}x${size}`, (row) => of(row).of],
    ],
  };
}

const EFFECT_COLUMNS: PaperColumn<PassRow>[] = [
  {
    head: 'difference',
    text: ({ effect }) => (effect === undefined ? '' : points(effect.difference)),
    numbers: [['difference', ({ effect }) => effect?.difference]],
  },
  {
    head: '95 % interval of it',
    text: ({ effect }) => (effect === undefined ? '' : `${points(effect.low)} to ${points(effect.high)}`),
    numbers: [
      ['difference from', ({ effect }) => effect?.low],
      ['difference to', ({ effect }) => effect?.high],
    ],
  },
  {
    head: 'p',
    text: ({ effect }) => (effect === undefined ? '' : probability(effect.p).replace(/^= /, '')),
    numbers: [['p', ({ effect }) => effect?.p]],
  },
  {
    head: 'texts changed',
    text: ({ effect }) => (effect === undefined ? '' : `${effect.changed}/${effect.samples}`),
    numbers: [
      ['texts changed', ({ effect }) => effect?.changed],
      ['texts compared', ({ effect }) => effect?.samples],
    ],
  },
];

const TEST_COLUMNS: PaperColumn<PassRow>[] = [
  meanColumn('KL without latents, nats', ({ tested }) => tested?.kl),
  meanColumn('map faithfulness', ({ tested }) => tested?.faithfulness),
];

/** "0.0123 (0.0045 to 0.0201)" */
export function meanColumn<Row>(head: string, meanOf: (row: Row) => Mean | undefined): PaperColumn<Row> {
  return {
    head,
    text: (row) => {
      const mean = meanOf(row);
      if (mean === undefined) return '';
      return `${significant(mean.mean)} (${significant(mean.low)} to ${significant(mean.high)})`;
    },
    numbers: [
      [head, (row) => meanOf(row)?.mean],
      [`${head}, from`, (row) => meanOf(row)?.low],
      [`${head}, to`, (row) => meanOf(row)?.high],
    ],
  };
}

function notesOf(effects: readonly Effect[], tested: Tested | undefined): string[] {
  const notes = ['Right answers with Wilson’s 95 % interval.'];
  if (effects.length > 0) {
    notes.push(
      'Differences are in points against the model’s own latents on the same samples, with Newcombe’s 95 % interval; p is of McNemar’s exact test.',
    );
  }
  const open = effects.find(({ counts }) => !couldShowLoss(counts));
  if (open !== undefined) notes.push(`p cannot show a loss here: ${tooFewRight(open.counts)}.`);
  if (tested !== undefined) {
    notes.push(
      'KL per word between the run and the same words read without its latents, the markers alone; faithfulness of the ' +
        'first latent’s map: area between deletion and insertion curves and those of random orders. Means over runs, with 95 % intervals.',
    );
  }
  return notes;
}

/** Of the runs with their own latents; undefined where none was tested. */
function testsOf(passes: readonly FedResults[]): Tested | undefined {
  const own = passes.find(({ fed }) => fed === 'own')?.results ?? [];
  const tests = own.flatMap((result) => result.tests ?? []);
  return tests.length === 0 ? undefined : meansOf(tests);
}

export function writeTable(table: PaperTable, form: TableForm): string {
  switch (form) {
    case 'markdown':
      return markdownOf(table);
    case 'latex':
      return latexOf(table);
    case 'csv':
      return csvOf(table.numbers);
    default:
      return unreachable(form);
  }
}

function markdownOf({ heads, rows, notes }: PaperTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(markdownText).join(' | ')} |\n`;
  const rule = `|${heads.map((_, column) => (column === 0 ? '---' : '--:')).join('|')}|\n`;
  return `${line(heads)}${rule}${rows.map(line).join('')}\n${notes.map(markdownText).join(' ')}\n`;
}

function markdownText(text: string): string {
  return text.replaceAll(/[\\|*_`<>[\]]/g, (character) => `\\${character}`);
}

function latexOf({ heads, rows, notes }: PaperTable): string {
  const line = (cells: readonly string[]): string => `    ${cells.map(latexText).join(' & ')} \\\\\n`;
  return [
    '% needs \\usepackage{booktabs}\n',
    '\\begin{table}\n  \\centering\n',
    `  \\caption{${notes.map(latexText).join(' ')}}\n`,
    `  \\begin{tabular}{l${'r'.repeat(heads.length - 1)}}\n    \\toprule\n`,
    line(heads),
    '    \\midrule\n',
    ...rows.map(line),
    '    \\bottomrule\n  \\end{tabular}\n\\end{table}\n',
  ].join('');
}

const LATEX: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '×': '$\\times$',
  '−': '$-$',
  '’': "'",
  '<': '$<$',
  '>': '$>$',
};

function latexText(text: string): string {
  return text
    .replaceAll(/[\\~^×−’<>]|[&%$#_{}]/g, (character) => LATEX[character] ?? `\\${character}`)
    .replaceAll(' \\%', '\\,\\%');
}
