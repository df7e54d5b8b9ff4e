/** How a long trace comes to the page. */

import { expect, it, vi } from 'vitest';
import { inParts } from '../../src/protocol/traceParts.ts';
import { PanelModel } from '../../src/webview/panelModel.ts';
import { sampleTrace } from './sampleTrace.ts';

// Nothing is drawn here.
vi.stubGlobal('requestAnimationFrame', () => 0);

const trace = sampleTrace({ blocks: 6, lines: 20, words: 10 });
const copy = (): typeof trace => structuredClone(trace);

function newModel(): PanelModel {
  const none = (): never => {
    throw new Error('asked for arrays');
  };
  return new PanelModel({
    slice: none,
    cancelSlice: none,
    picture: none,
    analysis: none,
    analyse: none,
    cancelAnalysis: none,
    calibrate: none,
    chooseModel: none,
  });
}

it('a long trace is shown when its last part has come, equal to what was sent', async () => {
  const { head, parts } = inParts(copy());
  expect(parts.length).toBeGreaterThan(1);
  const model = newModel();
  await model.show({ canRun: false, trace: head, toCome: parts.length });
  for (const part of parts) {
    expect(model.state.trace).toBeUndefined();
    await model.part(part);
  }
  expect(model.state.trace).toEqual(trace);
});

it('a selection that comes between two parts waits for the last', async () => {
  const { head, parts } = inParts(copy());
  const model = newModel();
  const selected: number[] = [];
  model.onSelect(({ latent }) => selected.push(latent! + model.state.trace!.latents.length));
  await model.show({ canRun: false, trace: head, toCome: parts.length });
  await model.select({ latent: 0 });
  expect(selected).toEqual([]);
  for (const part of parts) await model.part(part);
  expect(selected).toEqual([trace.latents.length]);
});

it('another trace in the middle takes the place of the one that was coming', async () => {
  const { head, parts } = inParts(copy());
  const model = newModel();
  await model.show({ canRun: false, trace: head, toCome: parts.length });
  await model.part(parts[0]!);
  await model.show({ canRun: false, fileName: 'another' });
  await model.part(parts[1]!);
  expect(model.state).toEqual({ canRun: false, fileName: 'another' });
});

it('short traces, and those that still grow, are sent whole', () => {
  expect(inParts({ ...copy(), status: 'running' }).parts).toEqual([]);
  expect(inParts({ ...copy(), tokens: trace.tokens.slice(0, 100) }).parts).toEqual([]);
});
