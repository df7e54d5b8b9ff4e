/** What a run tells those who watch it, and how it obeys them. */

import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runTraining, type RunOptions, type RunResult } from '../../../src/train/run/run.ts';
import type { Metric } from '../../../src/watch/metrics.ts';
import { controlOf, statusOf } from '../../../src/watch/status.ts';
import { parseWatchedStep, watchedFile, type WatchedStep } from '../../../src/watch/watched.ts';
import { EXAMPLES, temporaryFolder } from '../../fixtures/cli.ts';
import { writeConfig, writeSmallModel } from './fixtures.ts';

let model = '';
beforeAll(async () => {
  model = await writeSmallModel();
});

const folderOf = (config: string): string => join(dirname(config), 'run');

function run(config: string, options: Partial<RunOptions> = {}): Promise<RunResult> {
  return runTraining(config, {
    provider: 'cpu',
    signal: new AbortController().signal,
    onStart: () => undefined,
    onStep: () => undefined,
    ...options,
  });
}

/** The first example in a folder of its own. */
function oneSample(): string {
  const folder = temporaryFolder();
  const [line] = readFileSync(join(EXAMPLES, 'samples.jsonl'), 'utf8').split('\n');
  for (const picture of ['map-01.png', 'map-01-helper-1.png', 'map-01-helper-2.png'])
    copyFileSync(join(EXAMPLES, picture), join(folder, picture));
  writeFileSync(join(folder, 'samples.jsonl'), `${line}\n`);
  return join(folder, 'samples.jsonl');
}

function lookAt(config: string, sample: number, step: number): WatchedStep {
  return parseWatchedStep(
    readFileSync(join(folderOf(config), 'watch', watchedFile({ sample, step })), 'utf8'),
  );
}

function metrics(config: string): Metric[] {
  const text = readFileSync(join(folderOf(config), 'metrics.jsonl'), 'utf8').trimEnd();
  return text.split('\n').map((line) => JSON.parse(line) as Metric);
}

const status = (config: string) => statusOf(readFileSync(join(folderOf(config), 'status.json'), 'utf8'));

const ask = (config: string, control: unknown): void =>
  writeFileSync(join(folderOf(config), 'control.json'), JSON.stringify(control));

describe('a look at a sample', () => {
  /** Without noise the loss is 1 minus the mean cosine of latents and targets, before the step. */
  it('has the cosines that the next step of the same sample reports as its loss', async () => {
    const config = writeConfig({
      model,
      data: oneSample(),
      batch: 1,
      steps: 2,
      noise: 0,
      learningRate: 1e-3,
      warmupSteps: 0,
      watch: { every: 1 },
    });
    await run(config);
    for (const { step, losses } of metrics(config)) {
      const cosines = lookAt(config, 0, step - 1).blocks.flatMap(({ latents }) =>
        latents.flatMap(({ toTarget }) => toTarget ?? []),
      );
      expect(cosines.length).toBeGreaterThan(0);
      const mean = cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length;
      expect(Math.abs(1 - mean - losses['alignment']!)).toBeLessThan(1e-5);
    }
    expect(lookAt(config, 0, 2).step).toBe(2);
  }, 60_000);

  it('is at the sample that is trained at its position, of maps with alternating questions too', async () => {
    const generator = { sizes: [3], form: 'latents', minMoves: 2, alternate: ['plan-from', 'plan'] };
    // The second question of the second map, which the fourth step learns.
    const watch = { sample: 3, every: 1 };
    const config = writeConfig({ model, data: { generator }, steps: 4, noise: 0, warmupSteps: 0, watch });
    await run(config);
    const { where, blocks } = lookAt(config, 3, 3);
    expect(where).toBe('map 2 of the generator');
    const cosines = blocks.flatMap(({ latents }) => latents.flatMap(({ toTarget }) => toTarget ?? []));
    const mean = cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length;
    expect(Math.abs(1 - mean - metrics(config)[3]!.losses['alignment']!)).toBeLessThan(1e-5);
  }, 60_000);

  it.each([1, 2])('has pictures, probabilities and ordered selections (stage %d)', async (stage) => {
    const config = writeConfig({ model, stage, steps: 1, batch: 1, watch: { sample: 3, every: 1 } });
    await run(config);
    const { blocks, where } = lookAt(config, 3, 1);
    expect(where).toMatch(/samples\.jsonl:4$/);
    expect(blocks.length).toBeGreaterThan(0);
    for (const { picture, grid, teacher, latents, groupSize } of blocks) {
      const png = readFileSync(join(folderOf(config), 'watch', picture.file));
      expect(png.subarray(1, 4).toString()).toBe('PNG');
      expect(teacher.cosines.length * groupSize).toBe(grid.rows * grid.columns);
      for (const { cosines, probabilities, selected } of [teacher, ...latents]) {
        expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
        const order = selected.map((index) => cosines[index]!);
        expect(order).toEqual(order.toSorted((a, b) => b - a));
        expect(order[0]).toBe(Math.max(...cosines));
      }
    }
  });

  it('of drawn maps has them too; one that does not exist says so and stops nothing', async () => {
    const data = { generator: { sizes: [3], minMoves: 2 } };
    const drawn = writeConfig({ model, data, steps: 1, batch: 1, watch: { sample: 2, every: 1 } });
    await run(drawn);
    const { blocks, where } = lookAt(drawn, 2, 1);
    expect(where).toBe('map 3 of the generator');
    expect(existsSync(join(folderOf(drawn), 'watch', blocks[0]!.picture.file))).toBe(true);

    const missing = writeConfig({ model, steps: 1, batch: 1, watch: { sample: 9999, every: 1 } });
    expect((await run(missing)).step).toBe(1);
    expect(lookAt(missing, 9999, 1).problem).toMatch(/no such sample to watch: expected a number from 0 to/);
  });

  it('changes nothing of the training, and another sample may be asked for at any time', async () => {
    const [watched, alone] = [{ every: 1 }, { every: 0 }].map((watch) =>
      writeConfig({ model, steps: 3, batch: 1, watch }),
    );
    await run(watched!, {
      onStep: ({ step }) => step === 1 && ask(watched!, { want: 'run', watch: { sample: 2, every: 5 } }),
    });
    await run(alone!);
    const numbers = (config: string) =>
      metrics(config).map(({ losses, gradientNorm }) => [losses, gradientNorm]);
    expect(numbers(watched!)).toEqual(numbers(alone!));
    expect(readdirSync(join(folderOf(watched!), 'watch')).filter((file) => file.endsWith('.json'))).toEqual([
      'sample-0-step-0.json',
      'sample-2-step-1.json',
    ]);
    expect(existsSync(join(folderOf(alone!), 'watch'))).toBe(false);
  }, 60_000);
});

describe('a run that is watched', () => {
  it('pauses with its state saved, goes on, stops, and says each time what it does', async () => {
    const config = writeConfig({ model, steps: 4, batch: 1, watch: { every: 0 } });
    const states: unknown[] = [];
    const paused = (async () => {
      while (!existsSync(join(folderOf(config), 'status.json')) || status(config)?.state !== 'paused')
        await new Promise((resolve) => setTimeout(resolve, 20));
      states.push(readFileSync(join(folderOf(config), 'latest'), 'utf8'));
      expect(metrics(config)).toHaveLength(1);
      ask(config, { want: 'run' });
    })();
    const result = await run(config, {
      onStart: () => states.push(status(config)?.state),
      onStep: ({ step }) => {
        if (step === 1) ask(config, { want: 'pause' });
        if (step === 2) states.push(status(config)?.state);
        if (step === 3) ask(config, { want: 'stop' });
      },
    });
    await paused;
    expect(states).toEqual(['starting', 'step-1\n', 'running']);
    expect(result).toMatchObject({ step: 3, cancelled: true });
    expect(status(config)).toMatchObject({ state: 'stopped', steps: 4, config, device: 'cpu' });
    // The next process is not told to stop by what the last one was told.
    expect((await run(config)).step).toBe(4);
    expect(status(config)?.state).toBe('finished');
    expect(controlOf(readFileSync(join(folderOf(config), 'control.json'), 'utf8'))?.want).toBe('run');
  }, 60_000);

  it('that fails says why and where; a folder in which a process is at work is refused', async () => {
    const config = writeConfig({ model, learningRate: 1e38, warmupSteps: 0 });
    await expect(run(config)).rejects.toThrow();
    expect(status(config)).toMatchObject({ state: 'failed', error: expect.stringContaining('not a finite') });
    expect(status(config)?.where).toMatch(/samples\.jsonl:\d+$/);

    const file = join(folderOf(config), 'status.json');
    const busy = { ...status(config), state: 'running', pid: process.ppid };
    writeFileSync(file, JSON.stringify(busy));
    await expect(run(config)).rejects.toThrow(/going on already: found process \d+, running/);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(busy);
    // A process that is gone holds nothing.
    writeFileSync(file, JSON.stringify({ ...busy, pid: 2 ** 22 + 1 }));
    await expect(run(config)).rejects.toThrow(/not a finite/);
  }, 60_000);
});
