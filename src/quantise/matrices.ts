/**
 * Which matrices of a model are stored in fewer bits. Matrices that read the same rows are joined, one under the
 * other, so that a step multiplies once. Embedding, norms, biases and the patch embedding stay in the checkpoint.
 */

import { baseOf } from '../model/bases/all.ts';
import type { ModelConfig } from '../model/config.ts';

export interface Matrix {
  /** In the cache file. */
  name: string;
  part: 'decoder' | 'head' | 'vision';
  /** Weights of the checkpoint, top to bottom, with their numbers of rows. */
  sources: readonly { weight: string; rows: number }[];
  columns: number;
}

export function matricesOf({ text, vision }: ModelConfig): Matrix[] {
  const matrices: Matrix[] = [];
  const add = (
    part: Matrix['part'],
    name: string,
    columns: number,
    ...sources: readonly (readonly [string, number])[]
  ): void => {
    matrices.push({
      name,
      part,
      sources: sources.map(([weight, rows]) => ({ weight: `${weight}.weight`, rows })),
      columns,
    });
  };
  const { hiddenSize: C, heads, kvHeads, headSize, feedForwardSize: F } = text;
  for (let layer = 0; layer < text.layers; layer++) {
    const of = `model.layers.${layer}`;
    const attention = `${of}.self_attn`;
    add(
      'decoder',
      `layers.${layer}.qkv`,
      C,
      [`${attention}.q_proj`, heads * headSize],
      [`${attention}.k_proj`, kvHeads * headSize],
      [`${attention}.v_proj`, kvHeads * headSize],
    );
    add('decoder', `layers.${layer}.o`, heads * headSize, [`${attention}.o_proj`, C]);
    add('decoder', `layers.${layer}.gate_up`, C, [`${of}.mlp.gate_proj`, F], [`${of}.mlp.up_proj`, F]);
    add('decoder', `layers.${layer}.down`, F, [`${of}.mlp.down_proj`, C]);
  }
  add('head', 'head', C, [text.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head', text.vocabularySize]);
  const { hiddenSize: W } = vision;
  const tower = baseOf(vision).tower.matrices(vision);
  for (let block = 0; block < vision.depth; block++) {
    const attention = `visual.blocks.${block}.attn`;
    add('vision', `vision.${block}.qkv`, W, [`${attention}.qkv`, 3 * W]);
    add('vision', `vision.${block}.proj`, W, [`${attention}.proj`, W]);
    for (const { name, columns, sources } of tower.block(block))
      add('vision', `vision.${block}.${name}`, columns, ...sources);
  }
  for (const { name, columns, sources } of tower.rest) add('vision', `vision.${name}`, columns, ...sources);
  return matrices;
}

export function rowsOf({ sources }: Matrix): number {
  return sources.reduce((sum, { rows }) => sum + rows, 0);
}
