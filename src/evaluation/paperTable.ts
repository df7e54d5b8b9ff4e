/** The figures of an evaluation as a table for a paper: Markdown, LaTeX (booktabs) or CSV. */

import { csvOf } from '../figure/csv.ts';
import { unreachable } from '../base/errors.ts';
import { effectsOf, type Effect, type FedResults } from './comparison.ts';
import { FED_NAMES } from './fed.ts';
import { meansOf, shareOf, shareOfSize, sizesOf } from './figures.ts';
import { interval, percent, points, probability, significant } from './words.ts';

export const TABLE_FORMS = ['markdown', 'latex', 'csv'] as const;
export type TableForm = (typeof TABLE_FORMS)[number];

export interface PaperTable {
  heads: string[];
  rows: string[][];
  /** What the columns are, as sentences. */
  notes: string[];
}

/** A row for each pass: success with its interval, per size, and against own. */
export function paperTable(passes: readonly FedResults[]): PaperTable {
  const sizes = sizesOf(passes.flatMap(({ results }) => results));
  const effects = new Map(effectsOf(passes).map((effect) => [effect.fed, effect]));
  const compares = effects.size > 0;
  const tested = testsOf(passes);
  const heads = [
    'latents',
    'right',
    'share',
    '95 % interval',
    ...sizes.map((size) => `${size} × ${size}`),
    ...(compares ? ['difference', '95 % interval of it', 'p', 'texts changed'] : []),
    ...(tested === undefined ? [] : ['KL without latents, nats', 'map faithfulness']),
  ];
  const rows = passes.map(({ fed, results }) => {
    const share = shareOf(results.map(({ success }) => success));
    return [
      FED_NAMES[fed],
      `${share.right}/${share.of}`,
      share.of === 0 ? '' : percent(share.right / share.of),
      interval(share),
      ...sizes.map((size) => {
        const { right, of } = shareOfSize(results, size);
        return `${right}/${of}`;
      }),
      ...(compares ? effectCells(fed === 'own' ? undefined : effects.get(fed)) : []),
      ...(tested === undefined ? [] : fed === 'own' ? testCells(tested) : ['', '']),
    ];
  });
  const notes = ['Right answers with Wilson’s 95 % interval.'];
  if (compares) {
    notes.push(
      'Differences are in points against the model’s own latents on the same samples, with Newcombe’s 95 % interval; p is of McNemar’s exact test.',
    );
  }
  if (tested !== undefined) {
    notes.push(
      'KL per word between the run and the same words read without its latents, the markers alone; faithfulness of the ' +
        'first latent’s map: area between deletion and insertion curves and those of random orders. Means over runs, with 95 % intervals.',
    );
  }
  return { heads, rows, notes };
}

/** Of the runs with their own latents; undefined where none was tested. */
function testsOf(passes: readonly FedResults[]): ReturnType<typeof meansOf> | undefined {
  const own = passes.find(({ fed }) => fed === 'own')?.results ?? [];
  const tests = own.flatMap((result) => result.tests ?? []);
  return tests.length === 0 ? undefined : meansOf(tests);
}

function testCells({ kl, faithfulness }: ReturnType<typeof meansOf>): string[] {
  return [kl, faithfulness].map((mean) => {
    if (mean === undefined) return '';
    return `${significant(mean.mean)} (${significant(mean.low)} to ${significant(mean.high)})`;
  });
}

function effectCells(effect: Effect | undefined): string[] {
  if (effect === undefined || effect.samples === 0) return ['', '', '', ''];
  const { difference, low, high, p, changed, samples } = effect;
  return [
    points(difference),
    `${points(low)} to ${points(high)}`,
    probability(p).replace(/^= /, ''),
    `${changed}/${samples}`,
  ];
}

export function writeTable(table: PaperTable, form: TableForm): string {
  switch (form) {
    case 'markdown':
      return markdownOf(table);
    case 'latex':
      return latexOf(table);
    case 'csv':
      return csvOf(table);
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
