/** The command line with the real engine, against the reference run and with the bundled model. */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readArray } from '../../src/trace/arrays.ts';
import type { Fed } from '../../src/evaluation/fed.ts';
import { openTrace, type OpenTrace } from '../../src/traceFile/openTrace.ts';
import { answerText } from '../../src/trace/steps.ts';
import { changedModel } from '../fixtures/changedModel.ts';
import { BUILT_ENGINE, EXAMPLES, ilvr, temporaryFolder } from '../fixtures/cli.ts';
import { goldenRun, hasGoldens } from '../fixtures/goldenTrace.ts';
import { GOLDENS } from '../fixtures/goldens.ts';

describe.skipIf(!existsSync(BUILT_ENGINE))('the built engine (npm run build)', () => {
  it.skipIf(!hasGoldens)(
    'answers a map as the released code does, with the same latents and attention',
    async () => {
      const out = join(temporaryFolder(), 'map-05.ilvr.json');
      const picture = join(GOLDENS, 'images', 'map-05.png');
      const question = 'Find a safe path to the goal.';
      const model = join(GOLDENS, 'first-model');
      const args = ['reason', picture, '--device', 'cpu', '--trace', out];
      const run = await ilvr([...args, '--model', model, '--question', question], BUILT_ENGINE);
      expect(run.code, run.err).toBe(0);
      const { trace, container } = await openTrace(out);
      const { trace: golden, container: expectedArrays } = await goldenRun('map-05');
      expect(answerText(trace)).toBe(answerText(golden));
      expect(trace.prompt.ids).toEqual(golden.prompt.ids);
      expect(trace.prompt.ropeDelta).toBe(golden.prompt.ropeDelta);
      expect(trace.tokens.map(({ id, text, kind, forced }) => ({ id, text, kind, forced }))).toEqual(
        golden.tokens.map(({ id, text, kind, forced }) => ({ id, text, kind, forced })),
      );
      expect(trace.blocks).toEqual(golden.blocks);
      for (const [i, latent] of trace.latents.entries()) {
        const expected = golden.latents[i]!;
        expect(latent.attention.shape).toEqual(expected.attention.shape);
        for (const part of ['vector', 'attention'] as const) {
          const [found, wanted] = [
            await readArray(container, latent[part]),
            await readArray(expectedArrays, expected[part]),
          ];
          expect(largestError(found.data, wanted.data)).toBeLessThan(1e-3);
        }
      }
    },
  );

  it('compares latents with helper pictures, and shows them to the model when asked to', async () => {
    const folder = temporaryFolder();
    const args = ['reason', join(EXAMPLES, 'map-01.png'), '--device', 'cpu', '--max-tokens', '30'];
    const helper = ['--helper', join(EXAMPLES, 'map-01-helper-1.png')];
    for (const inPrompt of [false, true]) {
      const out = join(folder, `${inPrompt}.ilvr.json`);
      const flags = inPrompt ? ['--helpers-in-prompt'] : [];
      const run = await ilvr([...args, ...helper, ...flags, '--trace', out], BUILT_ENGINE);
      expect(run.code, run.err).toBe(0);
      const { trace } = await openTrace(out);
      expect(trace.pictures.map(({ role, range }) => [role, range !== undefined])).toEqual([
        ['input', true],
        ['helper', inPrompt],
      ]);
      for (const latent of trace.latents)
        expect(latent.comparisons.map((c) => c.picture)).toContain(trace.pictures[1]!.id);
    }
  });

  it('knows whether the answer to an example is right, and keeps that in the trace', async () => {
    const out = join(temporaryFolder(), 'world.ilvr.json');
    const run = await ilvr(['reason', '--example', 'world', '--device', 'cpu', '--trace', out], BUILT_ENGINE);
    expect(run.code, run.err).toBe(0);
    expect(run.out).toMatch(/answer +\S+ {2}(✓ right|✗ right would be \S+)/);
    const { trace } = await openTrace(out);
    expect(trace.verdict!.expected).toMatch(/^[.#$@]{4}(\/[.#$@]{4}){3}$/);
    expect(trace.verdict!.right).toBe(answerText(trace).includes(`{${trace.verdict!.expected}}`));
  });

  it('says once, before the first of many samples, what of them a bundled model never met', async () => {
    const folder = temporaryFolder();
    const drawn = ['--count', '3', '--sizes', '5', '--dynamics', 'swaps', '--style', '1', '--cell', '28'];
    await ilvr(['generate-worlds', folder, ...drawn, '--walk', 'up left', '--questions', 'state'], '');
    const asked = ['--sample-questions', '--model', 'bundled:worlds', '--device', 'cpu', '--jobs', '1'];
    const run = await ilvr(['evaluate', join(folder, 'samples.jsonl'), ...asked], BUILT_ENGINE);
    expect(run.code, run.err).toBe(0);
    const notes = run.out.split('\n').filter((line) => line.startsWith('note'));
    expect(notes).toEqual([expect.stringMatching(/had 112 × 112 px\. This one has 140 × 140\.$/)]);
  });

  it('feeds everything that evaluate feeds, made of the run itself, helper pictures or another trace', async () => {
    const folder = temporaryFolder();
    const asked = async (name: string, ...args: string[]) => {
      const out = join(folder, `${name}.ilvr.json`);
      const given = ['reason', join(EXAMPLES, 'map-01.png'), '--device', 'cpu', '--max-tokens', '40'];
      const run = await ilvr([...given, ...args, '--trace', out], BUILT_ENGINE);
      expect(run.code, run.err).toBe(0);
      return openTrace(out);
    };
    const vectors = async ({ trace, container }: OpenTrace): Promise<string[]> =>
      Promise.all(trace.latents.map(async ({ vector }) => (await readArray(container, vector)).data.join()));
    const own = await vectors(await asked('own'));
    expect(own.length).toBeGreaterThan(8);
    const helpers = ['1', '2'].flatMap((n) => ['--helper', join(EXAMPLES, `map-01-helper-${n}.png`)]);
    const needs: Partial<Record<Fed, string[]>> = {
      oracle: helpers,
      swap: ['--swap-with', join(folder, 'shuffle.ilvr.json')],
    };
    for (const fed of ['mean', 'shuffle', 'oracle', 'dummy', 'none', 'swap'] as const) {
      const run = await asked(fed, '--intervene', fed, ...(needs[fed] ?? []));
      expect(run.trace.settings.intervention).toBe(fed);
      const found = await vectors(run);
      if (fed === 'none') expect(found).toEqual([]);
      else expect(found[0], fed).not.toBe(own[0]);
      // Its own in another order, and those once more from the trace.
      if (fed === 'shuffle') expect(own).toContain(found[0]);
      if (fed === 'swap') expect(found[0]).toBe((await vectors(await openTrace(needs.swap![1]!)))[0]);
    }
  });

  it('ends with 1 where a weight is no number, names it, and keeps a trace that opens', async () => {
    const model = await changedModel({
      weights: (tensors) => {
        tensors.get('model.layers.1.mlp.down_proj.weight')!.values[0] = Infinity;
      },
    });
    const out = join(temporaryFolder(), 'broken.ilvr.json');
    const args = [
      'reason',
      join(EXAMPLES, 'map-01.png'),
      '--device',
      'cpu',
      '--model',
      model,
      '--trace',
      out,
    ];
    const run = await ilvr(args, BUILT_ENGINE);
    expect(run.code).toBe(1);
    expect(run.err).toContain('a weight that is no number, model.layers.1.mlp.down_proj.weight');
    const { trace } = await openTrace(out);
    expect([trace.status, trace.tokens]).toEqual(['failed', []]);
    expect(trace.failure).toContain('model.layers.1.mlp.down_proj.weight');
  });

  it('says before the run which settings of the checkpoint it does not use, and once in an evaluation', async () => {
    const model = ['--model', await changedModel({ generation: { num_beams: 4 } }), '--device', 'cpu'];
    const note = /note +Not used from the checkpoint's generation_config\.json: num_beams 4\.\n/;
    const one = await ilvr(
      ['reason', join(EXAMPLES, 'map-01.png'), ...model, '--max-tokens', '2'],
      BUILT_ENGINE,
    );
    expect(one.out).toMatch(new RegExp(`${note.source}question`));
    const samples = ['evaluate', join(EXAMPLES, 'samples.jsonl'), '--limit', '2', '--jobs', '1'];
    const many = await ilvr([...samples, ...model, '--max-tokens', '2'], BUILT_ENGINE);
    expect(many.out.match(new RegExp(note, 'g'))).toHaveLength(1);
    expect(many.out.search(note)).toBeLessThan(many.out.search(/[✓✗]/));
  });

  it.skipIf(!hasGoldens)('applies an adapter and records it in the trace', async () => {
    const out = join(temporaryFolder(), 'adapted.ilvr.json');
    const model = ['--model', join(GOLDENS, 'flat'), '--adapter', join(GOLDENS, 'lora'), '--device', 'cpu'];
    const rest = ['--question', 'q', '--max-tokens', '2', '--trace', out];
    const run = await ilvr(['reason', join(EXAMPLES, 'map-01.png'), ...model, ...rest], BUILT_ENGINE);
    expect(run.code, run.err).toBe(0);
    const { trace } = await openTrace(out);
    expect(trace.model.name).toBe('flat + lora');
    expect(trace.model.adapter).toMatchObject({ name: 'lora', rank: 4, alpha: 8 });
  });

  it('counts broken, missing and no pictures as wrong and goes on, also with pictures in the line', async () => {
    const folder = temporaryFolder();
    const sound = readFileSync(join(EXAMPLES, 'map-01.png'));
    const pictures = { sound, cut: sound.subarray(0, sound.length / 2), empty: '', text: 'no picture' };
    const lines = Object.entries(pictures).map(([name, bytes]) => {
      writeFileSync(join(folder, `${name}.png`), bytes);
      return JSON.stringify({ text_input: 'q', image_input: `${name}.png`, original_final_answer: 'x' });
    });
    for (const image_input of [[], null, 'gone.png', sound.toString('base64'), ['sound.png', 'sound.png']])
      lines.push(JSON.stringify({ text_input: 'q', image_input, original_final_answer: 'x' }));
    const file = join(folder, 'samples.jsonl');
    writeFileSync(file, lines.join('\n'));
    const args = [
      'evaluate',
      file,
      '--device',
      'cpu',
      '--max-tokens',
      '2',
      '--results',
      join(folder, 'r.jsonl'),
    ];
    const { code, out, err } = await ilvr(args, BUILT_ENGINE);
    expect(code, err).toBe(0);
    expect(out).toMatch(/accuracy +\d of 9/);
    expect(out).toMatch(/not answered +6, counted as wrong/);
    expect(out + readFileSync(join(folder, 'r.jsonl'), 'utf8')).not.toMatch(/NaN|undefined|null/);
  });

  it('ends quietly when its reader does, as with `| head`', async () => {
    const child = spawn(process.execPath, [join(BUILT_ENGINE, '..', 'cli.cjs'), 'reason', '--help']);
    let err = '';
    child.stderr.on('data', (text: Buffer) => (err += text.toString()));
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, err]).toEqual([0, '']);
  });

  it('tells a folder without a model apart from a defect', async () => {
    const args = ['reason', join(EXAMPLES, 'map-01.png'), '--question', 'q', '--model', temporaryFolder()];
    const { code, err } = await ilvr(args, BUILT_ENGINE);
    expect(code).toBe(1);
    expect(err).toMatch(/config\.json/);
    expect(err).not.toContain('defect');
  });
});

function largestError(found: Float32Array, expected: Float32Array): number {
  return found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i]!)), 0);
}
