/** Qwen2.5-VL's tower: RMSNorm and SwiGLU with biases, windows in most blocks, and a merger of two layers. */

import { product, rmsNorm, swiGlu } from '../../layers.ts';
import type { TowerParts } from '../base.ts';
import { patchEmbedding } from '../parts.ts';

export const TOWER: TowerParts = {
  embed: (tower, pixels) => patchEmbedding(tower, pixels),
  norm: ({ graph, config, weights }, block, name, x) => {
    const weight = weights.get(`visual.blocks.${block}.${name}.weight`, [config.hiddenSize]);
    return rmsNorm(graph, x, weight, config.normEpsilon);
  },
  feedForward: ({ graph, config, weights }, block, x) =>
    swiGlu(graph, weights, x, `visual.blocks.${block}.mlp`, {
      hidden: config.hiddenSize,
      feedForward: config.feedForwardSize,
      bias: true,
    }),
  merge: ({ graph, config, weights }, x) => {
    const { hiddenSize: C, mergeSize, outputSize } = config;
    const wide = C * mergeSize * mergeSize;
    const norm = rmsNorm(graph, x, weights.get('visual.merger.ln_q.weight', [C]), config.normEpsilon);
    const joined = graph.reshape(norm, [-1, wide]); // (S / M, M·C)
    const project = (value: typeof x, name: string, rows: number): typeof x =>
      product(graph, weights, value, { name: `visual.merger.mlp.${name}`, rows, columns: wide, bias: true });
    return project(graph.op('Gelu', [project(joined, '0', wide)]), '2', outputSize);
  },
  matrices: ({ hiddenSize: W, feedForwardSize: V, outputSize, mergeSize }) => {
    const wide = W * mergeSize * mergeSize;
    return {
      block: (block) => {
        const of = `visual.blocks.${block}.mlp`;
        return [
          {
            name: 'gate_up',
            columns: W,
            sources: [
              [`${of}.gate_proj`, V],
              [`${of}.up_proj`, V],
            ],
          },
          { name: 'down', columns: V, sources: [[`${of}.down_proj`, W]] },
        ];
      },
      rest: [
        { name: 'merger.0', columns: wide, sources: [['visual.merger.mlp.0', wide]] },
        { name: 'merger.2', columns: wide, sources: [['visual.merger.mlp.2', outputSize]] },
      ],
    };
  },
};
