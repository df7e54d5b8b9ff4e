/** Figures to take out: the same bytes every time, text that stays text, numbers that are the slices'. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { csvOf } from '../../src/figure/csv.ts';
import { captionShapes, widthOf, type Figure } from '../../src/figure/figure.ts';
import { drawnText, mapsFigure, originText } from '../../src/figure/maps.ts';
import { svgOf } from '../../src/figure/svg.ts';
import { paintOf } from '../../src/heatmap/law.ts';
import { exportTrace } from '../../src/traceFile/export.ts';
import { ilvr, temporaryFolder } from '../fixtures/cli.ts';
import { sampleRun } from '../webview/sampleTrace.ts';

const selector = { kind: 'attention', picture: 'image-1', layer: 2, heads: 'mean' } as const;

async function figureOf(latents: number[], title = 'A title'): Promise<Figure> {
  const open = sampleRun();
  const { trace, maps } = open;
  await maps.load(selector);
  const drawing = { law: 'heat', scale: maps.scale(selector, 'raw', 'run'), strength: 0.8 } as const;
  return mapsFigure({
    maps: latents.map((i) => ({ map: maps.map(trace.latents[i]!, selector)!, label: `latent ${i + 1}` })),
    picture: await open.picture(trace.pictures[0]!),
    drawing,
    contour: 0.5,
    caption: [title, drawnText(drawing, 'the run'), originText(trace)],
  });
}

describe('a figure as SVG', () => {
  test('is the same bytes when it is made again, and tells method, scale, model and device', async () => {
    const svg = svgOf(await figureOf([3]));
    expect(svgOf(await figureOf([3]))).toBe(svg);
    expect(svg).toContain('99th percentile of the run');
    expect(svg).toMatch(/sample-model on cpu/);
    expect(svg).not.toMatch(/\bid=|\d{4}-\d\d-\d\d/);
  });

  test('has a cell for each patch in the law’s colour, and all its shapes within its bounds', async () => {
    const { maps, trace } = sampleRun();
    await maps.load(selector);
    const figure = await figureOf([5]);
    const scale = maps.scale(selector, 'raw', 'run');
    const { values } = maps.map(trace.latents[5]!, selector)!;
    const cells = figure.shapes.filter((shape) => shape.shape === 'rect').slice(0, 36);
    cells.forEach((cell, patch) =>
      expect(cell).toMatchObject(paintOf(values[patch]!, { law: 'heat', scale, strength: 0.8 })),
    );
    for (const shape of figure.shapes) {
      if (!('x' in shape)) continue;
      const isText = shape.shape === 'text';
      const width = isText ? widthOf(shape.text, shape.size) : 'width' in shape ? shape.width : 0;
      expect(shape.x + width).toBeLessThanOrEqual(figure.width);
      expect(shape.y).toBeLessThanOrEqual(figure.height);
    }
  });

  test('of a block has its latents in a row, each with its name', async () => {
    const svg = svgOf(await figureOf([4, 5, 6, 7]));
    expect(svg.match(/<image /g)).toHaveLength(4);
    expect(svg).toContain('>latent 7<');
  });

  test('a hostile name is only text', async () => {
    const svg = svgOf(await figureOf([0], '</text><script>alert(1)</script>&"\u0000\u202e\ufffe'));
    expect(svg).not.toContain('<script');
    expect(svg).toContain('&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;');
    for (const forbidden of ['\u0000', '\u202e', '\ufffe']) expect(svg).not.toContain(forbidden);
  });

  test('a caption is broken to the figure’s width, a word without spaces too', () => {
    const { shapes } = captionShapes([`${'word '.repeat(40)}${'x'.repeat(200)}`], { x: 0, y: 0 }, 300);
    for (const shape of shapes) expect(shape.shape === 'text' && shape.text.length).toBeLessThanOrEqual(44);
    expect(shapes.length).toBeGreaterThan(6);
  });
});

describe('CSV', () => {
  test('quotes what has commas, quotes and line ends, and leaves gaps empty', () => {
    expect(
      csvOf({
        heads: ['a', 'b'],
        rows: [
          ['x,"y"', NaN],
          ['\n', undefined],
          ['é', -0.5],
        ],
      }),
    ).toBe('a,b\r\n"x,""y""",\r\n"\n",\r\né,-0.5\r\n');
  });

  test('a text is never a formula', () => {
    expect(csvOf({ heads: ['t'], rows: [['=1+1'], ['@x'], ['-a']] })).toBe("t\r\n'=1+1\r\n'@x\r\n'-a\r\n");
  });
});

describe('ilvr figure', () => {
  const folder = temporaryFolder();
  const trace = path.join(folder, 'run.ilvr.json');
  beforeAll(() => exportTrace(sampleRun(), trace, { form: 'json' }));

  const figure = async (out: string, ...args: string[]) => {
    const file = path.join(folder, out);
    const { code, err } = await ilvr(['figure', trace, '--out', file, ...args], 'none.cjs');
    return { code, text: err, content: await readFile(file, 'utf8').catch(() => '') };
  };

  test('writes the same SVG twice', async () => {
    const args = ['--latent', '3', '--layer', '4'];
    const [first, second] = [await figure('a.svg', ...args), await figure('b.svg', ...args)];
    expect(first.code).toBe(0);
    expect(first.content).toMatch(/^<svg /);
    expect(first.content).toContain('layer 4 of 4');
    expect(second.content).toBe(first.content);
  });

  test('writes a block’s numbers as they are in the slices', async () => {
    const { content } = await figure('a.csv', '--block', '2', '--layer', '3');
    const open = sampleRun();
    const slices = await open.reader.read({
      family: { of: 'visual', layer: 2, heads: 'mean' },
      from: 4,
      to: 8,
    });
    const [heads, ...rows] = content.trimEnd().split('\r\n');
    expect(heads).toBe('row,column,block 2 latent 1,block 2 latent 2,block 2 latent 3,block 2 latent 4');
    expect(rows).toHaveLength(36);
    rows.forEach((row, patch) =>
      expect(row.split(',').map(Number)).toEqual([
        Math.floor(patch / 6) + 1,
        (patch % 6) + 1,
        ...slices.map((slice) => slice[patch]),
      ]),
    );
  });

  test('names what there is when a latent or layer is not there', async () => {
    const { code, text } = await figure('c.svg', '--latent', '99');
    expect(code).toBe(1);
    expect(text).toContain('1 to 12');
  });
});
