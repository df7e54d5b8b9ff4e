/** Training runs from their config files, on one layer of the bundled model. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  existsSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { asWeight, readStoredTensors, readTensor } from '../../../src/checkpoint/formats/safetensors.ts';
import { writeSafetensors } from '../../../src/checkpoint/formats/writeSafetensors.ts';
import { TRAINED_ON_FILE } from '../../../src/checkpoint/trainedOn.ts';
import { largestDifference } from '../../../src/conformance/check.ts';
import { Model } from '../../../src/inference/model.ts';
import { onCpu } from '../../../src/train/parameters/parameters.ts';
import { RunFolder } from '../../../src/train/run/runFolder.ts';
import { readConfig, trainingSettings, type RunConfig } from '../../../src/train/run/config.ts';
import { curvesSvg } from '../../../src/train/run/curves.ts';
import { openData, readSample, Shuffle } from '../../../src/train/data/samples.ts';
import { featureReader } from '../../../src/train/data/pictures.ts';
import { alone } from '../../../src/train/run/pool.ts';
import { runTraining, type RunOptions, type RunResult } from '../../../src/train/run/run.ts';
import { saveState } from '../../../src/train/run/savedState.ts';
import { openLearner } from '../../../src/train/run/start.ts';
import { openState, trainStep } from '../../../src/train/step.ts';
import { Trainer } from '../../../src/train/recipe/trainer.ts';
import type { TrainingSample } from '../../../src/train/data/sequence.ts';
import type { Metric } from '../../../src/watch/metrics.ts';
import { parseWatchedStep, watchedFile } from '../../../src/watch/watched.ts';
import { buildTrainWorker, EXAMPLES, ilvr, temporaryFolder } from '../../fixtures/cli.ts';
import { writeConfig, writeSmallModel } from './fixtures.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

let model = '';
beforeAll(async () => {
  model = await writeSmallModel();
});

function run(config: string, options: Partial<RunOptions> = {}): Promise<RunResult> {
  return runTraining(config, {
    provider: 'cpu',
    signal: new AbortController().signal,
    onStart: () => undefined,
    onStep: () => undefined,
    ...options,
  });
}

const runFolder = (config: string): string => join(dirname(config), 'run');

function metricsOf(config: string): Metric[] {
  const lines = readFileSync(join(runFolder(config), 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as Metric);
}

/** What must be the same in a resumed run. */
function lossesOf(config: string): unknown[] {
  return metricsOf(config).map(({ step, losses, gradientNorm, learningRate }) => [
    step,
    losses,
    gradientNorm,
    learningRate,
  ]);
}

/** Runs in a process of its own, which kills itself during step `killAt`. */
function runApart(config: string, provider: string, killAt: number, env: Record<string, string> = {}) {
  const script = `
    const { runTraining } = await import(${JSON.stringify(join(ROOT, 'src/train/run/run.ts'))});
    await runTraining(${JSON.stringify(config)}, {
      provider: '${provider}', signal: new AbortController().signal, onStart: () => {},
      onStep: ({ step }) => { if (step === ${killAt}) process.kill(process.pid, 'SIGKILL'); },
    });`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, ...env } });
}

describe('a run', () => {
  it.each([
    ['model', { stage: 1 }],
    ['model', { stage: 2 }],
    ['adapter_model', { stage: 1, lora: { rank: 4 } }],
    ['adapter_model', { stage: 2, lora: { rank: 4 } }],
  ])(
    'killed and resumed gives the losses of one that was not, bit for bit (%s, %j)',
    async (saved, recipe) => {
      const settings = { model, ...recipe, learningRate: 1e-3, warmupSteps: 1, checkpointEvery: 2 };
      const [whole, killed] = [writeConfig(settings), writeConfig(settings)];
      await run(whole);
      expect(runApart(killed, 'cpu', 3).signal).toBe('SIGKILL');
      expect(lossesOf(killed)).toHaveLength(3);
      expect(readFileSync(join(runFolder(killed), 'latest'), 'utf8')).toBe('step-2\n');
      appendFileSync(join(runFolder(killed), 'metrics.jsonl'), '{"step": 4, "losses"');
      const steps: number[] = [];
      await run(killed, { onStep: ({ step }) => void steps.push(step) });
      expect(steps).toEqual([3, 4]);
      expect(lossesOf(killed)).toEqual(lossesOf(whole));
      for (const name of [`${saved}.safetensors`, 'state.safetensors']) {
        const [a, b] = [whole, killed].map((config) =>
          readFileSync(join(runFolder(config), 'checkpoints', 'step-4', name)),
        );
        expect(a!.equals(b!)).toBe(true);
      }
    },
    120_000,
  );

  it.each(['perception', 'base', 1])(
    'is the same with workers when killed and resumed, and nearly that of one thread (stage %s)',
    async (stage) => {
      const generator = {
        sizes: [3, 4],
        form: stage === 1 ? 'latents' : 'cells',
        questions: ['plan', 'hole'],
        ...(stage !== 1 && { galleries: 1 }),
      };
      const settings = { model, stage, data: { generator }, batch: 4, microBatch: 2, checkpointEvery: 2 };
      const [whole, killed] = [0, 1].map(() => writeConfig({ ...settings, workers: 2 }));
      const workerScript = await buildTrainWorker();
      await run(whole!, { workerScript });
      await run(killed!, { workerScript, lastStep: 3 });
      const steps: number[] = [];
      await run(killed!, { workerScript, onStep: ({ step }) => void steps.push(step) });
      expect(steps).toEqual([4]);
      expect(lossesOf(killed!)).toEqual(lossesOf(whole!));
      const single = writeConfig(settings);
      await run(single);
      const norms = [single, whole!].map((config) => metricsOf(config).map((line) => line.gradientNorm));
      expect(largestDifference(norms[0]!, norms[1]!)).toBeLessThan(1e-3);
    },
    120_000,
  );

  it('whose perception head is an earlier version’s is not gone on with; as a model it begins with another head', async () => {
    const settings = { model, stage: 'perception', data: { generator: { sizes: [3] } }, steps: 2 };
    const config = writeConfig(settings);
    await run(config, { lastStep: 1 });
    const folder = join(runFolder(config), 'checkpoints', 'step-1');
    const file = join(folder, 'state.safetensors');
    const tensors = [];
    for (const [name, tensor] of await readStoredTensors(file)) {
      const values = await readTensor(asWeight(name, tensor));
      const [shape, kept] = name === 'perception.bias' ? [[50], values.slice(0, 50)] : [tensor.shape, values];
      tensors.push({ name, shape, read: () => kept });
    }
    await writeSafetensors(file, tensors);
    await expect(run(config)).rejects.toThrow(/another version.*66 numbers of perception\.bias, found 50/);
    const again = writeConfig({ ...settings, model: folder, steps: 1 });
    await run(again);
    expect(lossesOf(again)).toHaveLength(1);
  }, 60_000);

  it('stops after the step when cancelled and saves; another config is refused by its keys', async () => {
    const settings = { model, data: { generator: { sizes: [3], form: 'latents' } } };
    const config = writeConfig(settings);
    const stop = new AbortController();
    const result = await run(config, { signal: stop.signal, onStep: () => stop.abort() });
    const checkpoint = join(runFolder(config), 'checkpoints', 'step-1');
    expect(result).toEqual({ step: 1, checkpoint, cancelled: true });
    expect(readFileSync(join(runFolder(config), 'curves.svg'), 'utf8')).toContain('<polyline');
    const other = { ...settings, run: runFolder(config), clip: 2, seed: 5 };
    await expect(run(writeConfig(other))).rejects.toThrow(
      /run of another config: expected clip 1, seed 0, found clip 2, seed 5/,
    );
    expect(existsSync(checkpoint)).toBe(true);
  }, 60_000);

  it('a loss that is no number stops it, names the sample and keeps the state before', async () => {
    const config = writeConfig({ model, learningRate: 1e38, warmupSteps: 0 });
    await expect(run(config)).rejects.toThrow(/not a finite number: in .*samples\.jsonl:\d+\./);
    expect(readFileSync(join(runFolder(config), 'latest'), 'utf8')).toBe('step-1\n');
  }, 60_000);

  it.skipIf(process.platform !== 'linux')(
    'without a GPU, WebGPU is refused with a way out',
    () => {
      const env = { VK_DRIVER_FILES: '/none', VK_ICD_FILENAMES: '/none' };
      const args = [join(ROOT, 'dist/cli.cjs'), 'train', writeConfig({ model }), '--device', 'webgpu'];
      const { stderr, status } = spawnSync(process.execPath, args, {
        encoding: 'utf8',
        env: { ...process.env, ...env },
      });
      expect(status).toBe(1);
      expect(stderr).toContain('WebGPU cannot be used: expected a GPU with a Vulkan');
    },
    60_000,
  );

  it('is a command', async () => {
    const config = writeConfig({ model });
    const first = await ilvr(['train', config, '--steps', '1'], '');
    expect(first.err).toMatch(/^step 1 of 1, cross-entropy \d+\.\d+, misalignment .* samples\/s\n$/);
    expect(first.out).toContain('Done after step 1, saved as');
    expect(first.code).toBe(0);
    const second = await ilvr(['train', config, '--steps', '1'], '');
    expect(second.out).toContain('Going on after step 1');
    expect((await ilvr(['train', config, '--steps', '0'], '')).code).toBe(2);
    expect((await ilvr(['train', 'none.json'], '')).code).toBe(1);
  }, 60_000);
});

describe('the vision tower', () => {
  const generator: { sizes: number[]; form: string; galleries?: number } = { sizes: [3], form: 'latents' };
  const data = { generator };

  async function towerOf(folder: string): Promise<[name: string, hash: string][]> {
    const stored = await readStoredTensors(join(folder, 'model.safetensors'));
    const names = [...stored.keys()].filter((name) => name.startsWith('visual.')).toSorted();
    return Promise.all(
      names.map(async (name) => {
        const values = await readTensor(asWeight(name, stored.get(name)!));
        return [name, createHash('sha256').update(values).digest('hex')] as [string, string];
      }),
    );
  }
  const newest = (config: string, step: number): string =>
    join(runFolder(config), 'checkpoints', `step-${step}`);

  it('is as it was to the bit when frozen, which a run from before there was the setting is too', async () => {
    const config = writeConfig({ model, data, steps: 2, learningRate: 1e-2, warmupSteps: 0 });
    await run(config, { lastStep: 1 });
    const file = join(runFolder(config), 'config.json');
    const stored = JSON.parse(readFileSync(file, 'utf8')) as { resolved: Record<string, unknown> };
    expect(stored.resolved['vision']).toBe('frozen');
    delete stored.resolved['vision'];
    delete (stored.resolved['data'] as typeof data).generator.galleries;
    writeFileSync(file, JSON.stringify(stored));
    expect((await run(config)).step).toBe(2);
    expect(await towerOf(newest(config, 2))).toEqual(await towerOf(model));
  }, 120_000);

  it.each([
    [1, 1],
    [1, 2],
    [2, 1],
  ])(
    'is moved when trained, and a resumed run gives the bits of one that was not stopped (stage %d, %d workers)',
    async (stage, workers) => {
      const recipe = { model, data, stage, vision: 'trained', steps: 3, batch: 2, microBatch: 1, workers };
      const settings = { ...recipe, learningRate: 1e-3, warmupSteps: 0, watch: { every: 1 } };
      const [whole, stopped] = [writeConfig(settings), writeConfig(settings)];
      const options = workers > 1 ? { workerScript: await buildTrainWorker() } : {};
      await run(whole, options);
      await run(stopped, { ...options, lastStep: 2 });
      await run(stopped, options);
      expect(lossesOf(stopped)).toEqual(lossesOf(whole));
      for (const name of ['model.safetensors', 'state.safetensors']) {
        const [a, b] = [whole, stopped].map((config) => readFileSync(join(newest(config, 3), name)));
        expect(a!.equals(b!)).toBe(true);
      }
      const look = readFileSync(join(runFolder(whole), 'watch', watchedFile({ sample: 0, step: 3 })), 'utf8');
      expect(parseWatchedStep(look).blocks[0]!.latents[0]!.selected.length).toBeGreaterThan(0);
      const [before, after] = [await towerOf(model), await towerOf(newest(whole, 3))];
      expect(after.map(([name]) => name)).toEqual(before.map(([name]) => name));
      expect(after.filter(([, hash], i) => hash === before[i]![1])).toEqual([]);
    },
    120_000,
  );
});

/** The sample of the first step. */
async function firstSample(config: RunConfig, seer: Model): Promise<TrainingSample> {
  const data = await openData(config, { helpers: true });
  return readSample(data.sample(data.indexAt(0)), featureReader(seer), { helpers: true });
}

describe('a checkpoint', () => {
  it('opens as a model with the logits of the trained student, and stays when a later save fails', async () => {
    const { config } = await readConfig(writeConfig({ model, learningRate: 1e-2, warmupSteps: 0 }));
    // What the weights were asked before is not all that they will have been asked.
    writeFileSync(join(model, TRAINED_ON_FILE), '{"mostPictures": 1}');
    const base = await openCheckpoint(model);
    expect(base.trainedOn).toEqual({ mostPictures: 1 });
    const settings = trainingSettings(config);
    const [learner, vision, trainer] = [
      await openLearner(config, base, { provider: 'cpu' }),
      await Model.open(base, 'cpu'),
      await Trainer.open(base, settings, { provider: 'cpu' }),
    ];
    const state = await openState(learner, settings.adamW);
    await trainStep(state, (step) => alone(config, learner).learn(step), settings);
    const folder = join(temporaryFolder(), 'step-1');
    await saveState(folder, state, base);
    const parameters = onCpu(trainer.student.parameters);
    parameters.data.set(onCpu(learner.student).data);
    const sample = await firstSample(config, vision);

    // Read without latents, so that both read the same vectors.
    const plan = sample.plan.filter((step) => step.type === 'text');
    const lesson = await trainer.prepare({ ...sample, plan });
    const [{ hidden } = { hidden: [] }] = (await trainer.learn([lesson])).losses;
    const slot = parameters.slots.find(({ name }) => name === 'model.embed_tokens.weight')!;
    const table = parameters.view(slot);
    const [rows = 0, width = 0] = slot.shape;
    const expected = hidden.flatMap((vector) =>
      Array.from({ length: rows }, (_, row) =>
        vector.reduce((sum, value, c) => sum + value * table[row * width + c]!, 0),
      ),
    );
    const saved = await openCheckpoint(folder);
    expect(saved.trainedOn).toBeUndefined();
    const exported = await Model.open(saved, 'cpu');
    const { embeddings, positions } = await exported.embedPrompt(lesson.sequence.ids, sample.pictures);
    const read = await exported.prefill(exported.newCache(), embeddings, positions);
    // Rounding is a share of the logits, and these grow with the bundled model that the small one is cut from.
    const largest = Math.max(...expected.map(Math.abs));
    const apart = largestDifference((await exported.logits(read.hidden)).data, expected);
    expect(apart / largest).toBeLessThan(1e-6);
    expect((await firstSample(config, exported)).pictures).toEqual(sample.pictures);

    const blocked = join(temporaryFolder(), 'file');
    writeFileSync(blocked, '');
    await expect(saveState(join(blocked, 'step-2'), state, base)).rejects.toThrow(/^cannot write: /);
    expect(readdirSync(folder)).toContain('state.json');
    await Promise.all([learner, trainer, vision, exported].map((opened) => opened.release()));
  }, 60_000);
});

it('an adapter gives in inference the logits that its trainer had, and is refused as a model', async () => {
  const given = { model, learningRate: 1e-2, warmupSteps: 0, lora: { rank: 4, alpha: 16, dropout: 0.1 } };
  const { config } = await readConfig(writeConfig(given));
  const base = await openCheckpoint(model);
  const settings = trainingSettings(config);
  const lora = settings.lora!;
  const [learner, plain, trainer] = [
    await openLearner(config, base, { provider: 'cpu' }),
    await Model.open(base, 'cpu'),
    await Trainer.open(base, { ...settings, lora: { ...lora, dropout: 0 } }, { provider: 'cpu' }),
  ];
  const state = { ...(await openState(learner, settings.adamW)), lora };
  for (let i = 0; i < 2; i++) await trainStep(state, (step) => alone(config, learner).learn(step), settings);
  const adapter = join(temporaryFolder(), 'step-2');
  await saveState(adapter, state, base);
  onCpu(trainer.student.parameters).data.set(onCpu(learner.student).data);

  // Read without latents, so that all read the same vectors.
  const sample = await firstSample(config, plain);
  const lesson = await trainer.prepare({ ...sample, plan: [{ type: 'text', content: 'down' }] });
  const [{ hidden } = { hidden: [] }] = (await trainer.learn([lesson])).losses;
  const adapted = await Model.open(await openCheckpoint(model, { adapter }), 'cpu');
  const read = async (reader: Model): Promise<Float32Array> => {
    const { embeddings, positions } = await reader.embedPrompt(lesson.sequence.ids, sample.pictures);
    return (await reader.prefill(reader.newCache(), embeddings, positions)).hidden.data;
  };
  const logits = async (data: Float32Array): Promise<Float32Array> =>
    (await plain.logits({ shape: [hidden.length, hidden[0]!.length], data })).data;
  const expected = await logits(Float32Array.from(hidden.flatMap((row) => [...row])));
  expect(largestDifference(await logits(await read(adapted)), expected)).toBeLessThan(1e-4);
  expect(largestDifference(await logits(await read(plain)), expected)).toBeGreaterThan(0.1);
  await expect(openCheckpoint(adapter)).rejects.toThrow(/holds an adapter, not a model/);
  await Promise.all([learner, trainer, plain, adapted].map((opened) => opened.release()));
}, 60_000);

it('a run is not written among other files, which are named and stay', async () => {
  const folder = temporaryFolder();
  const mine = ['metrics.jsonl', 'status.json', 'latest'];
  for (const name of mine) writeFileSync(join(folder, name), 'mine');
  await expect(RunFolder.open(folder, {}, {})).rejects.toThrow('found latest, metrics.jsonl, status.json');
  expect(readdirSync(folder).toSorted()).toEqual(mine.toSorted());
  for (const name of mine) expect(readFileSync(join(folder, name), 'utf8')).toBe('mine');
});

describe('bad input is told by its place before the first step', () => {
  const GOOD = {
    text_input: '<image>Q',
    image_input: 'map.png',
    sequence_plan: [{ type: 'text', content: 'A' }],
  };
  const latent = { type: 'latent', helper_image: 'map.png' };
  it.each([
    ['no plan', { ...GOOD, sequence_plan: undefined }, 'no answer to learn'],
    ['an empty plan', { ...GOOD, sequence_plan: [] }, 'no answer to learn'],
    ['no helper image', { ...GOOD, sequence_plan: [latent, { type: 'latent' }] }, 'none in step 2'],
    [
      'null for a helper image',
      { ...GOOD, sequence_plan: [{ ...latent, helper_image: null }] },
      'none in step 1',
    ],
    [
      'two helper images in a step',
      { ...GOOD, sequence_plan: [{ ...latent, helper_image: ['map.png', 'map.png'] }] },
      'found 2 in step 1',
    ],
    ['a missing helper', { ...GOOD, sequence_plan: [{ ...latent, helper_image: 'no.png' }] }, 'is missing'],
    ['a missing picture', { ...GOOD, image_input: 'no.png' }, 'is missing'],
    ['pictures without a place', { ...GOOD, text_input: 'Q' }, 'one <image> per picture'],
    ['an unknown step', { ...GOOD, sequence_plan: [{ type: 'sketch' }] }, 'sequence_plan.0.type'],
  ])('%s', async (_, sample, message) => {
    const folder = temporaryFolder();
    copyFileSync(join(EXAMPLES, 'map-01.png'), join(folder, 'map.png'));
    const file = join(folder, 'samples.jsonl');
    writeFileSync(file, `${JSON.stringify(GOOD)}\n${JSON.stringify(sample)}\n`);
    const { config } = await readConfig(writeConfig({ model, data: file }));
    const failure: unknown = await openData(config, { helpers: true }).catch((error: unknown) => error);
    expect(String(failure)).toContain(message);
    expect(String(failure)).toContain(`${file}:2`);
  });

  it('paths that count from another folder, which "pictures" names', async () => {
    const root = temporaryFolder();
    copyFileSync(join(EXAMPLES, 'map-01.png'), join(root, 'map.png'));
    mkdirSync(join(root, 'lists'));
    const data = join(root, 'lists', 'samples.jsonl');
    writeFileSync(data, JSON.stringify(GOOD));
    const opened = async (more: object) => {
      const { config } = await readConfig(writeConfig({ model, data, ...more }));
      return openData(config, { helpers: true });
    };
    await expect(opened({})).rejects.toThrow(`if paths count from ${root}`);
    const [picture] = (await opened({ pictures: root })).sample(0).pictures;
    expect(picture!.file).toBe(join(root, 'map.png'));
  });

  it.each([
    [{ learning_rate: 1 }, /There is no setting "learning_rate": in .*train\.json:7\./],
    [
      { data: { generator: { size: 3 } } },
      /There is no setting "data\.generator\.size": in .*train\.json:4\./,
    ],
    [{ stage: 3 }, /The setting "stage" cannot be used: expected .*, found 3, in .*train\.json:7\./],
    [{ steps: 0 }, /"steps" cannot be used: .*found 0/],
    [{ lora: { r: 4 } }, /There is no setting "lora\.r"/],
    [{ lora: { targets: ['lm_head'] } }, /"lora\.targets\.0" cannot be used: .*found "lm_head"/],
    [{ lora: {}, stage: 'base' }, /"lora" cannot be used: expected no adapter before stage 1/],
    [
      { lora: {}, vision: 'trained' },
      /"vision" cannot be used: expected "frozen" beside "lora": .*"trained"/,
    ],
    [{ lora: { dropout: 1 } }, /"lora\.dropout" cannot be used: .*found 1/],
  ])('the config %j', async (settings, message) => {
    await expect(readConfig(writeConfig({ model: 'm', ...settings }))).rejects.toThrow(message);
  });
});

it('the order takes every sample once in each time through, and differs between them', () => {
  const order = new Shuffle(10, 3);
  const epochs = [0, 1].map((epoch) => Array.from({ length: 10 }, (_, i) => order.at(10 * epoch + i)));
  for (const epoch of epochs) expect(epoch.toSorted((a, b) => a - b)).toEqual([...Array(10).keys()]);
  expect(epochs[0]).not.toEqual(epochs[1]);
  expect(order.at(4)).toBe(epochs[0]![4]);
});

it('curves hold few points however long the run', () => {
  const points = Array.from({ length: 5000 }, (_, i) => ({
    step: i + 1,
    losses: { ce: 1 / (i + 1), alignment: 0.5 },
  }));
  const svg = curvesSvg(points);
  expect(svg.match(/points="([^"]*)"/)![1]!.split(' ').length).toBeLessThanOrEqual(600);
  expect(svg).not.toMatch(/NaN|Infinity/);
  expect(curvesSvg([])).not.toMatch(/NaN|Infinity/);
});

it('curves are drawn for every loss that a step names, by whatever name, from where it begins', () => {
  const svg = curvesSvg([
    { step: 1, losses: { text: 2 } },
    { step: 2, losses: { text: 1, 'a<b': 2 } },
  ]);
  expect(svg).toContain('>cross-entropy</text>');
  expect(svg).toContain('>a&#60;b</text>');
  const lines = [...svg.matchAll(/points="([^"]*)"/g)].map((match) => match[1]!.split(' ').length);
  expect(lines).toEqual([2, 1]);
});
