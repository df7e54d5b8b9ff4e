/** A training run to show: invented figures over real helper pictures. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededNumbers } from '../../src/base/random.ts';
import type { Look, TrainingState } from '../../src/protocol/training.ts';
import type { Metric } from '../../src/watch/metrics.ts';
import type { WatchedBlock, WatchedSelection } from '../../src/watch/watched.ts';
import { EXAMPLES } from '../fixtures/cli.ts';

export function sampleMetrics(steps: number): Metric[] {
  const random = seededNumbers(1);
  return Array.from({ length: steps }, (_, i) => ({
    step: i + 1,
    losses: {
      ce: 0.15 + 2.4 * Math.exp(-i / 60) + 0.25 * random() * Math.exp(-i / 200),
      alignment: 0.1 + 0.6 * Math.exp(-i / 120) + 0.08 * random(),
    },
    gradientNorm: 0.5 + 3 * Math.exp(-i / 40) + random(),
    learningRate: 1e-3 * Math.min(1, (i + 1) / 20) * (1 - i / 800),
    samplesPerSecond: 20 + 4 * random(),
    time: new Date(1.7e12 + 400 * i).toISOString(),
  }));
}

export function sampleTraining(steps: number, more: Partial<TrainingState> = {}): TrainingState {
  return {
    name: 'samples',
    folder: '/work/examples/runs/samples',
    state: 'running',
    hasPlace: false,
    steps: 600,
    device: 'cpu',
    facts: [
      'from first-model',
      'on examples/samples.jsonl',
      'stage 1',
      'batch 8',
      'learning rate 0.001, constant',
    ],
    metrics: sampleMetrics(steps),
    watch: { sample: 4, every: 10 },
    looks: Array.from({ length: Math.floor(steps / 10) + 1 }, (_, i) => 10 * i),
    ...more,
  };
}

const SIDE = 6;
const K = 8;
const PICTURES = ['map-05-helper-1.png', 'map-05-helper-2.png', 'map-05-helper-3.png'];

/** Latents that come nearer to the teacher's choice as steps go on. */
export function sampleLook(step: number): Look {
  const files = PICTURES.map((_, i) => `${String(i).repeat(16)}.png`);
  const random = seededNumbers(step);
  const share = 1 - Math.exp(-step / 120);
  const blocks = PICTURES.map((name, b): WatchedBlock => {
    const steady = seededNumbers(100 + b);
    const query = Array.from({ length: SIDE * SIDE }, () => 0.2 + 0.6 * steady());
    const teacher = selectionOf(query);
    const latents = Array.from({ length: K }, (_, k) => {
      const own = query.map(
        (value, i) => share * (value + (teacher.selected[k] === i ? 0.3 : 0)) + (1 - share) * 0.8 * random(),
      );
      return { ...selectionOf(own), toTarget: 0.3 + 0.6 * share + 0.08 * random() };
    });
    return {
      text: ['Start (2,2), goal (1,1).\nleft\n', 'up\n', 'left\n'][b]!,
      picture: { file: files[b]!, name, ...sizeOf(name) },
      grid: { rows: SIDE, columns: SIDE },
      groupSize: 1,
      teacher,
      latents,
    };
  });
  const png = (name: string): string => bytesOf(name).toString('base64');
  return {
    watched: {
      step,
      sample: 4,
      where: '/work/examples/samples.jsonl:5',
      question: '<image>Find a safe path to the goal.',
      stage: 1,
      blocks,
    },
    pictures: Object.fromEntries(files.map((file, i) => [file, png(PICTURES[i]!)])),
  };
}

function bytesOf(name: string): Buffer {
  return readFileSync(join(EXAMPLES, name));
}

/** From the PNG's header. */
function sizeOf(name: string): { width: number; height: number } {
  const bytes = bytesOf(name);
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

function selectionOf(cosines: number[]): WatchedSelection {
  const weights = cosines.map(Math.exp);
  const total = weights.reduce((sum, value) => sum + value, 0);
  const order = cosines.map((_, i) => i).toSorted((a, b) => cosines[b]! - cosines[a]!);
  return { cosines, probabilities: weights.map((value) => value / total), selected: order.slice(0, K) };
}
