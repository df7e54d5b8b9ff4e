/**
 * What the trainer's teacher would put at a run's latents: features of the helper pictures, selected by its rule.
 * The weights are the model's own, as a checkpoint does not hold those of its momentum teacher.
 */

import { promptMeansGraph, promptPartsOf, teacherQuery, textBefore } from '../../model/teacherRule.ts';
import { candidatesOf, cosines, RELEASED_SELECTION, selectByCosine } from '../../model/selection.ts';
import { floats, floatTensor, openSession } from '../../ort/session.ts';
import { replay, sequenceOf } from '../../inference/replay.ts';
import { meanOf, type NumericArray } from '../../tensor/array.ts';
import type { ModelRun } from './modelRun.ts';

const TURN_OPENS = '<|im_start|>';

/**
 * By block, most similar first, at most K; blocks without a helper picture are left out at the end.
 * The teacher reads what the run wrote, with the pads' own embeddings in its blocks.
 */
export async function teacherTargets(of: ModelRun): Promise<Float32Array[][]> {
  const { model, run } = of;
  const { config } = model.checkpoint;
  // The rule is that of ILVR's training.
  if (config.tokens.latent === undefined) return [];
  const helpers = of.pictures.filter(({ picture }) => picture.start === undefined);
  const { hidden, context, blocks, turnStart } = await readAsTeacher(of);
  const targets: Float32Array[][] = [];
  for (const [index, { features }] of helpers.slice(0, blocks.length).entries()) {
    if (run.blocks[index]!.latents !== config.latentSize) break;
    const text = textBefore({ blocks, turnStart }, index, config.latentSize).map(hidden);
    const { candidates } = candidatesOf(features);
    const query = teacherQuery(context, text, targets.at(-1));
    const rule = { ...RELEASED_SELECTION, count: config.latentSize };
    const { selected } = selectByCosine(cosines(query, candidates), rule);
    targets.push(selected.map((i) => rowOf(candidates, i)));
  }
  return targets;
}

async function readAsTeacher({ model, run, prompt }: ModelRun) {
  const { config, tokenizer } = model.checkpoint;
  const { hiddenSize: C } = config.text;
  const pad = (await model.embed([config.tokens.latent!.pad])).data;
  const ids = run.tokens.map(({ id }) => id);
  const latents = new Map(run.latents.map(({ token }) => [token, pad]));
  const sequence = await sequenceOf(model, prompt, { ids, latents, blocks: run.blocks });
  const length = sequence.ids.length;
  const states = new Float32Array(length * C);
  for await (const { first, hidden } of replay(model, sequence, {})) states.set(hidden.data, first * C);
  const opens = run.promptIds.lastIndexOf(tokenizer.idOf(TURN_OPENS) ?? -1);
  const turnStart = opens < 0 ? run.promptIds.length : opens;
  const hidden = (i: number): Float32Array => states.subarray(i * C, (i + 1) * C);
  return {
    hidden,
    turnStart,
    blocks: run.blocks.map(({ startToken }) => run.promptIds.length + startToken + 1),
    context: await contextOf(model, run.promptIds, turnStart, states.slice(0, turnStart * C)),
  };
}

/** u = mean(r_txt, r_img) */
async function contextOf(
  { checkpoint, provider, threads }: ModelRun['model'],
  ids: readonly number[],
  turnStart: number,
  states: Float32Array,
): Promise<Float32Array> {
  const { config, weights } = checkpoint;
  const parts = promptPartsOf(ids.slice(0, turnStart), turnStart, config.tokens);
  const S = turnStart;
  const session = await openSession(promptMeansGraph(config.text, weights, S), {
    provider,
    threads,
    weightsFolder: weights.root,
    prepack: weights.packed !== undefined,
  });
  try {
    const result = await session.run({
      hidden: floatTensor(states, [S, config.text.hiddenSize]),
      text: floatTensor(parts.text, [1, S]),
      image: floatTensor(parts.image, [1, S]),
    });
    const means = [floats(result['r_txt'])];
    if (parts.hasImage) means.push(floats(result['r_img']));
    return meanOf(means);
  } finally {
    await session.release();
  }
}

function rowOf({ shape, data }: NumericArray, i: number): Float32Array {
  const width = shape[1]!;
  return data.slice(i * width, (i + 1) * width);
}
