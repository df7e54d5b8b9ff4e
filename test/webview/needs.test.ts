/** Which slices a view needs, and what is drawn while they are read. */

import { describe, expect, test } from 'vitest';
import type { Query } from '../../src/trace/queries.ts';
import { RunMaps } from '../../src/trace/runMaps.ts';
import type { Trace } from '../../src/trace/schema.ts';
import { Slices } from '../../src/trace/slices.ts';
import { aheadOf } from '../../src/webview/logic/ahead.ts';
import { needsOf } from '../../src/webview/logic/needs.ts';
import { kept, readinessOf, targetOf } from '../../src/webview/logic/target.ts';
import { INITIAL_VIEW, type View } from '../../src/webview/logic/view.ts';
import { sampleRun } from './sampleTrace.ts';

const run = sampleRun();
const { trace } = run;
const fresh = (of: Trace = trace) =>
  new RunMaps(of, new Slices((query, signal) => run.reader.read(query, signal)));
const gaze = (view: Partial<View>, token?: number) => ({
  view: { ...INITIAL_VIEW, layer: 1, latent: 5, ...view },
  token,
  pointed: undefined,
});
const text = ({ family, from, to }: Query) => `${family.of} ${from}-${to}`;
const needed = (view: Partial<View>, token?: number) => {
  const maps = fresh();
  const { picture, around } = needsOf(trace, maps, targetOf(trace, maps, gaze(view, token)));
  return { picture: picture.map(text), around: around.map(text) };
};

describe('a view needs', () => {
  test('the maps of all latents, and what words pay to the selected one', () => {
    expect(needed({})).toEqual({ picture: ['visual 0-12'], around: ['paid 0-1'] });
    expect(needed({ kind: 'selection' }).picture).toEqual(['selection 0-12']);
  });

  test('of a single head also the latent’s whole row and the chart’s maps', () => {
    const row = `row ${trace.latents[5]!.token}-${trace.latents[5]!.token + 1}`;
    expect(needed({ heads: 2 }).around).toEqual(['paid 0-1', row, 'visual 0-12']);
    expect(needed({ heads: 2, tab: 'timing' }).around).toEqual(['paid 0-1', row]);
    expect(needed({ shading: 'attended' }).around).toEqual([row]);
  });

  test('of a word its row, of a region what is paid to it, of the open tab the cosines', () => {
    expect(needed({}, 3)).toEqual({ picture: ['visual 0-12', 'row 3-4'], around: [] });
    const region = { top: 0, left: 0, bottom: 1, right: 1 };
    expect(needed({ region }).around).toEqual(['paid 0-1']);
    expect(needed({ region, kind: 'selection' }).around).toEqual([]);
    expect(needed({ tab: 'similarity' }).around).toContain('cosines 0-1');
  });

  test('nothing that the trace does not have', () => {
    const silent = trace.tokens.findIndex(({ attention }) => attention === undefined);
    expect(needed({}, silent).picture).toEqual(['visual 0-12']);
  });
});

describe('while slices are read', () => {
  test('a target is ready when its maps are there, and whole with what stands around them', async () => {
    const maps = fresh();
    const target = targetOf(trace, maps, gaze({}));
    const ready = () => readinessOf(trace, maps, target, undefined);
    expect(ready()).toEqual({ picture: false, whole: false });
    const { picture, around } = needsOf(trace, maps, target);
    await maps.slices.load(picture[0]!);
    expect(ready()).toEqual({ picture: true, whole: false });
    await maps.slices.load(around[0]!);
    expect(ready()).toEqual({ picture: true, whole: true });
  });

  test('the last target keeps what needs slices and takes the rest of the wish', () => {
    const maps = fresh();
    const drawn = targetOf(trace, maps, gaze({}));
    const wished = targetOf(trace, maps, gaze({ layer: 3, latent: 2, law: 'heat', patch: 7 }));
    expect(kept(trace, drawn, wished)).toMatchObject({
      view: { layer: 1, latent: 5, law: 'heat', patch: 7 },
      shown: { latentIndex: 5, selector: { layer: 1 } },
    });
    expect(kept(trace, drawn, targetOf(trace, maps, gaze({ layer: 3 })))).toBe(drawn);
  });

  test('of a run that goes on the newest latent with a map is followed, and another one does not hold it up', async () => {
    const growing: Trace = { ...trace, status: 'running', latents: trace.latents.slice(0, 4) };
    const maps = fresh(growing);
    const follow = () => targetOf(growing, maps, gaze({ latent: undefined }));
    await maps.load(follow().shown.selector);
    const drawn = follow();
    expect(drawn.shown.latentIndex).toBe(3);
    growing.latents.push(trace.latents[4]!);
    const next = follow();
    expect(next.shown.latentIndex).toBe(3);
    expect(readinessOf(growing, maps, next, drawn).picture).toBe(true);
    await maps.load(next.shown.selector);
    expect(follow().shown.latentIndex).toBe(4);
  });

  test('what one more key would show is read ahead, but no maxima', () => {
    const maps = fresh();
    const ahead = aheadOf(trace, maps, targetOf(trace, maps, gaze({ heads: 'mean' })));
    const layers = ahead.flatMap(({ family }) =>
      family.of === 'visual' && family.heads === 'mean' ? [family.layer] : [],
    );
    expect(new Set(layers)).toEqual(new Set([0, 1, 2]));
    expect(ahead.map(text)).toContain('similarity 0-12');
    expect(ahead.every(({ family }) => !('heads' in family) || family.heads !== 'max')).toBe(true);
  });
});
