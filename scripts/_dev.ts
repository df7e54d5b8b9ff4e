import { openCheckpoint } from '../src/checkpoint/checkpoint.ts';
import { prepareImage } from '../src/checkpoint/image.ts';
import { mapItem, MAP_DEFAULTS } from '../src/maps/stream.ts';
import { BaseStudent, baseWeights } from '../src/train/base.ts';
import { initialise } from '../src/train/initialise.ts';
import { perceptionLabels } from '../src/train/perception.ts';
import { ParameterArray, readParameters } from '../src/train/parameters.ts';
import { sequenceOf } from '../src/train/sequence.ts';
import { AdamW, clip, RELEASED_ADAMW } from '../src/train/optimiser.ts';
import { readTensor } from '../src/checkpoint/safetensors.ts';
import { existsSync } from 'node:fs';
const dir = '/tmp/blank';
if (!existsSync(dir + '/model.safetensors')) await initialise('models/recipe/blank', dir, 0);
const cp = await openCheckpoint(dir);
console.log(cp.parameterCount);
const withText = process.argv[2] === 'text';
const Q = withText ? (process.argv[3] ?? 'plan,plan-from,plan-from,describe,judge,hole').split(',') : [];
const P = Number(process.argv[4] ?? 8);
const refs = baseWeights(cp.config, cp.weights, withText);
const params = await readParameters(new Map([...refs]), async (ref, name) =>
  name.startsWith('perception') ? new Float32Array(ref.length / 4) : readTensor(ref),
);
const student = new BaseStudent(cp.config, cp.weights, params, 0.5, { provider: 'cpu', threads: 1 });
const grad = params.zeros();
const adam = new AdamW(params, RELEASED_ADAMW);
for (let step = 0; step < Number(process.argv[5] ?? 6); step++) {
  const t0 = performance.now();
  const lessons = Array.from({ length: P }, (_, i) => {
    const item = mapItem({ ...MAP_DEFAULTS, questions: (Q.length ? Q : ['plan']) as never }, step * P + i);
    const { pixelValues, grid } = prepareImage(
      { ...item.picture, exifOrientation: 1, format: 'generated' } as never,
      cp.processor,
    );
    const g = { height: grid.h, width: grid.w };
    return {
      pixels: pixelValues,
      grid: g,
      labels: perceptionLabels(item.map, g, 2),
      sequences: Q.length
        ? item.questions.map((q) =>
            sequenceOf(cp, { question: q.text, pictures: [{ grid: g }], plan: q.steps as never }),
          )
        : [],
    };
  });
  const t1 = performance.now();
  if (step === 0 && withText)
    console.log(
      Q.map((k, i) => k + ':' + lessons.map((l) => l.sequences[i]!.ids.length).join(',')).join('\n'),
    );
  grad.data.fill(0);
  const l = await student.learn(lessons, grad, 1);
  const t2 = performance.now();
  const n = clip(grad, 1);
  adam.update(grad, Math.min(1, (step + 1) / 50) * 1.5e-3);
  const t3 = performance.now();
  console.log(
    step,
    'draw',
    (t1 - t0).toFixed(0),
    'learn',
    (t2 - t1).toFixed(0),
    'adam',
    (t3 - t2).toFixed(0),
    'text',
    l.text.toFixed(3),
    'perc',
    l.perception.toFixed(3),
    Object.entries(l.accuracy)
      .map(([k, v]) => k + ' ' + v.toFixed(3))
      .join(' '),
    'gn',
    n.toFixed(2),
  );
}
