/** Claims about drawing in a thread of its own: it draws, it refuses, and whatever happens to it the host goes on. */

import { existsSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { decode } from 'fast-png';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Drawer, type DrawerOptions } from '../../../src/extension/draw/drawer.ts';
import { drawForHover, type Drawing } from '../../../src/extension/draw/drawing.ts';
import { hoverParts, type Hovered } from '../../../src/extension/trace/hoverParts.ts';
import { traceLines, type TraceLine } from '../../../src/extension/trace/text.ts';
import { UserError } from '../../../src/base/errors.ts';
import { AbsentContainer } from '../../../src/extension/trace/containers.ts';
import { OpenTrace } from '../../../src/traceFile/openTrace.ts';
import { temporaryFolder } from '../../fixtures/cli.ts';
import { hostile } from '../../fixtures/paths.ts';
import { png } from '../../fixtures/png.ts';
import { fromFile } from '../../fixtures/reopened.ts';
import { smallRun } from '../../fixtures/smallTrace.ts';

let workerPath = '';
const drawers: Drawer[] = [];

beforeAll(async () => {
  workerPath = join(temporaryFolder(), 'drawWorker.cjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../../../src/extension/draw/worker.ts', import.meta.url))],
    outfile: workerPath,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
  });
});
afterEach(() => {
  for (const drawer of drawers.splice(0)) drawer.dispose();
});

function drawerOf(options: Partial<DrawerOptions> = {}): Drawer {
  const drawer = new Drawer({ workerPath, ...options });
  drawers.push(drawer);
  return drawer;
}

/** A thread that does what is told by the name of the picture. */
function oddWorker(): string {
  const path = join(temporaryFolder(), 'odd.cjs');
  writeFileSync(
    path,
    `const { parentPort } = require('node:worker_threads');
     parentPort.on('message', ({ picture }) => {
       if (picture.name === 'hang') for (;;) {}
       if (picture.name === 'grow') { const all = []; for (;;) all.push(new Array(1e6).fill({})); }
       if (picture.name === 'leave') process.exit(3);
       parentPort.postMessage({ drawn: undefined });
     });`,
  );
  return path;
}

const named = (name: string): Drawing => ({
  picture: { name, png: new Uint8Array(), sha256: name, width: 1, height: 1 },
  width: 1,
});

async function mapOverFirst(open: OpenTrace = smallRun()): Promise<Drawing> {
  const { trace, maps } = open;
  const [latent] = trace.latents;
  const selector = maps.opening(trace.pictures[0]!, 'attention');
  await maps.load(selector);
  const picture = await open.picture(trace.pictures[0]!);
  const over = { kind: 'map', map: maps.map(latent!, selector)!, scale: maps.scale(selector, 'raw', 'run') };
  return { picture, width: 90, over } as Drawing;
}

describe('drawing in a thread', () => {
  it('gives the same picture as drawing here, and its size', async () => {
    const drawing = await mapOverFirst();
    const drawn = await drawerOf().draw(drawing);
    expect(drawn).toEqual(drawForHover(drawing));
    const { width, height } = decode(drawn!.png);
    expect([drawn!.width, drawn!.height, width, height]).toEqual([90, 60, 90, 60]);
  });

  it('refuses a picture by name, and draws the next', async () => {
    const drawer = drawerOf();
    const drawing = await mapOverFirst();
    const tall = { name: 'tall.png', width: 1, height: 4_000_000, png: new Uint8Array(), sha256: 't' };
    await expect(drawer.draw({ ...drawing, picture: tall })).rejects.toThrow(
      /200 times as long.*found 1 × 4000000 pixels, in tall\.png/,
    );
    const bytes = png({ width: 30, height: 20, pixels: new Uint8Array(2 ** 28) });
    const bomb = { name: 'bomb.png', width: 30, height: 20, png: bytes, sha256: 'b' };
    await expect(drawer.draw({ ...drawing, picture: bomb })).rejects.toThrow(/cannot be shown.*bomb\.png/);
    expect(await drawer.draw(drawing)).toEqual(drawForHover(drawing));
  });

  it('ends a thread that takes too long, grows too large or leaves, and gives the next drawing another', async () => {
    const drawer = drawerOf({ workerPath: oddWorker(), timeLimitMs: 2000 });
    const [hang, after] = [drawer.draw(named('hang')), drawer.draw(named('fine'))];
    await expect(hang).rejects.toThrow(/takes too long to draw: in hang/);
    expect(await after).toBeUndefined();
    await expect(drawer.draw(named('leave'))).rejects.toThrow(/ended \(exit code 3\), in leave/);
    const roomy = drawerOf({ workerPath: oddWorker(), timeLimitMs: 60_000 });
    await expect(roomy.draw(named('grow'))).rejects.toThrow(/could not be drawn.*memory/i);
    expect(await roomy.draw(named('fine'))).toBeUndefined();
  });

  it('sleeps until there is something to draw, and again when there is nothing for a while', async () => {
    const drawer = drawerOf({ idleMs: 1 });
    expect(drawer.isAwake).toBe(false);
    const drawn = drawer.draw(await mapOverFirst());
    expect(drawer.isAwake).toBe(true);
    await drawn;
    await expect.poll(() => drawer.isAwake).toBe(false);
  });

  it('answers what is still waited for when the window closes', async () => {
    const drawer = drawerOf();
    const drawing = await mapOverFirst();
    const waiting = [1, 2].map(() => drawer.draw(drawing));
    drawer.dispose();
    for (const drawn of waiting) await expect(drawn).rejects.toThrow(/cancelled/);
  });

  it('without its script says so', async () => {
    const drawer = drawerOf({ workerPath: join(temporaryFolder(), 'missing.cjs') });
    await expect(drawer.draw(named('x'))).rejects.toThrow(/could not be drawn/);
  });
});

describe('the hovers of a trace', () => {
  const hoveredOf = (open: OpenTrace): Hovered => {
    const drawer = drawerOf();
    return { open, target: { run: 'r' }, draw: (drawing) => drawer.draw(drawing) };
  };
  const everyHover = async (open: OpenTrace): Promise<string[]> => {
    const hovered = hoveredOf(open);
    const at = async (line: TraceLine, column: number): Promise<string[]> =>
      (await hoverParts(hovered, line, column)).map(({ source }) => source);
    const texts: string[] = [];
    for (const line of traceLines(open.trace)) {
      texts.push(...(await at(line, 0)));
      const [latent] = line.latents;
      if (latent !== undefined) texts.push(...(await at(line, latent.start)));
    }
    return texts;
  };

  it('show maps, and where a picture cannot be shown the figures and why', async () => {
    const run = smallRun();
    const picture = /!\[[^\]]*\]\(data:image\/png;base64,/;
    const whole = await everyHover(run);
    expect(whole.filter((text) => picture.test(text)).length).toBeGreaterThan(4);
    Object.assign(run.trace.pictures[0]!, { width: 1, height: 4_000_000 });
    const refused = (await everyHover(run)).filter((text) => text.includes('cannot be shown'));
    expect(refused.length).toBeGreaterThan(2);
    const figures = refused.filter((text) => text.includes('peak'));
    expect(figures.length).toBeGreaterThan(1);
    for (const text of refused) expect(text).not.toMatch(picture);
  });

  it('without the arrays say why there are no maps, and give the figures that need none', async () => {
    const why = new UserError({ problem: 'The arrays are gone', where: 'small.ilvr.bin' });
    const texts = await everyHover(new OpenTrace(smallRun().trace, new AbsentContainer(why)));
    const told = texts.filter((text) => text.includes('The arrays are gone'));
    expect(told.length).toBeGreaterThan(4);
    expect(texts.filter((text) => /Attention.* pictures 0/.test(text)).length).toBeGreaterThan(4);
    expect(texts.join()).not.toContain('data:image');
  });

  it('hold what a stranger wrote as text only', async () => {
    const run = smallRun();
    const { trace } = run;
    const evil = '[a](command:x) <img src=x> https://example.com www.example.com';
    trace.pictures[0]!.name = trace.tokens[0]!.text = trace.model.name = evil;
    const texts = await everyHover(run);
    const outside = texts.map((text) => text.replaceAll(/\n```text\n[\s\S]*?\n```\n/g, ''));
    expect(outside.join()).toContain('&#91;a&#93;');
    for (const text of outside) {
      const rest = text.replaceAll(/\[Show in panel\]\(command:ilvr\.showLatent\?[^)]*\)/g, '');
      expect(rest).not.toMatch(/command:|<img|https?:|www\./);
    }
  });

  const handed = ['tall.ilvr.json', 'lines.ilvr.json'].map(hostile);
  it.runIf(handed.every(existsSync)).each(handed)('of the handed %s are all answered', async (path) => {
    const texts = await everyHover(await fromFile(await readFile(path, 'utf8'), path));
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.some((text) => text.includes('cannot be shown'))).toBe(path.includes('tall'));
  });
});
