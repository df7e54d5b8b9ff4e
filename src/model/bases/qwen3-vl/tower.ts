/**
 * Qwen3-VL's tower: LayerNorm and GELU, learned positions beside the rotary ones, full attention in every block, and
 * DeepStack (arXiv 2406.04334): mergers of their own after some blocks.
 */

import type { Value } from '../../../onnx/graphBuilder.ts';
import type { VisionConfig } from '../../config.ts';
import { patchCoordinates, type PatchGrid } from '../../grid.ts';
import { layerNorm, product } from '../../layers.ts';
import type { PatchInput, Tower, TowerMatrix, TowerParts } from '../base.ts';
import { patchEmbedding } from '../parts.ts';

export const TOWER: TowerParts = {
  embed: (tower, pixels) =>
    tower.graph.op('Add', [patchEmbedding(tower, pixels, { bias: true }), learnedPositions(tower)]),
  norm: (tower, block, name, x) =>
    normed(tower, x, `visual.blocks.${block}.${name}`, tower.config.hiddenSize),
  feedForward: (tower, block, x) => {
    const { hiddenSize: C, feedForwardSize: F } = tower.config;
    const wide = layer(tower, x, `visual.blocks.${block}.mlp.linear_fc1`, F, C);
    return layer(tower, gelu(tower, wide, 'tanh'), `visual.blocks.${block}.mlp.linear_fc2`, C, F);
  },
  merge: (tower, x) => {
    const { hiddenSize: C } = tower.config;
    return merged(tower, normed(tower, x, 'visual.merger.norm', C), 'visual.merger');
  },
  // Unlike the last merger's, its norm is over a whole token.
  mergeLevel: (tower, level, x) => {
    const { graph, config } = tower;
    const name = `visual.deepstack_merger_list.${level}`;
    const joined = graph.reshape(x, [-1, wideSize(config)]);
    return merged(tower, normed(tower, joined, `${name}.norm`, wideSize(config)), name);
  },
  inputs: interpolation,
  matrices: (config) => {
    const { hiddenSize: W, feedForwardSize: V } = config;
    const of = (name: string, prefix: string, rows: number, columns: number): TowerMatrix => ({
      name,
      columns,
      sources: [[prefix, rows]],
    });
    const merger = (name: string, prefix: string): TowerMatrix[] => [
      of(`${name}.1`, `${prefix}.linear_fc1`, wideSize(config), wideSize(config)),
      of(`${name}.2`, `${prefix}.linear_fc2`, config.outputSize, wideSize(config)),
    ];
    const levels = config.deepstackBlocks ?? [];
    return {
      block: (block) => [
        of('up', `visual.blocks.${block}.mlp.linear_fc1`, V, W),
        of('down', `visual.blocks.${block}.mlp.linear_fc2`, W, V),
      ],
      rest: [
        ...merger('merger', 'visual.merger'),
        ...levels.flatMap((_, level) => merger(`level.${level}`, `visual.deepstack_merger_list.${level}`)),
      ],
    };
  },
};

/** Of a token: mergeSize² patches beside each other. */
function wideSize({ hiddenSize, mergeSize }: VisionConfig): number {
  return hiddenSize * mergeSize * mergeSize;
}

/** (S / M, M·C), or (S, C) of neighbouring rows → (S / M, outputSize) */
function merged(tower: Tower, x: Value, prefix: string): Value {
  const { graph, config } = tower;
  const wide = wideSize(config);
  const between = layer(tower, graph.reshape(x, [-1, wide]), `${prefix}.linear_fc1`, wide, wide);
  return layer(tower, gelu(tower, between, 'none'), `${prefix}.linear_fc2`, config.outputSize, wide);
}

function layer({ graph, weights }: Tower, x: Value, name: string, rows: number, columns: number): Value {
  return product(graph, weights, x, { name, rows, columns, bias: true });
}

function normed({ graph, config, weights }: Tower, x: Value, name: string, size: number): Value {
  const part = (kind: 'weight' | 'bias') => weights.get(`${name}.${kind}`, [size]);
  return layerNorm(graph, x, part('weight'), part('bias'), config.normEpsilon);
}

/** @param approximation how the normal distribution's integral is computed: by tanh, or as it is */
function gelu({ graph }: Tower, x: Value, approximation: 'tanh' | 'none'): Value {
  return graph.op('Gelu', [x], approximation === 'none' ? {} : { approximate: { text: approximation } });
}

/** Places of the table around each patch, and the share of each. */
const TAPS = 4;

/**
 * The table is a square of vectors; what a patch gets of it is interpolated between the four around its place.
 * Inputs: corners (S, 4), rows of the table; shares (S, 4). @returns (S, C)
 */
function learnedPositions({ graph, config, weights }: Tower): Value {
  const { hiddenSize: C } = config;
  const side = tableSide(config);
  const table = graph.weight(weights.get('visual.pos_embed.weight', [side * side, C]));
  const corners = graph.op('Gather', [table, graph.input('corners', 'int64', ['S', TAPS])]); // (S, 4, C)
  const shares = graph.reshape(graph.input('shares', 'float32', ['S', TAPS]), [-1, 1, TAPS]);
  return graph.reshape(graph.op('MatMul', [shares, corners]), [-1, C]);
}

/** Vectors per side of the table. */
function tableSide({ positionTable = 0 }: VisionConfig): number {
  return Math.floor(Math.sqrt(positionTable));
}

/** Bilinear, with the table's outermost vectors at the picture's outermost patches; in float32, as the reference has it. */
function interpolation(config: VisionConfig, grid: PatchGrid): Record<string, PatchInput> {
  const side = tableSide(config);
  const patches = patchCoordinates(grid, config.mergeSize);
  const corners = new BigInt64Array(patches.length * TAPS);
  const shares = new Float32Array(patches.length * TAPS);
  const [rows, columns] = [tapsOf(grid.height, side), tapsOf(grid.width, side)];
  patches.forEach(({ row, column }, patch) => {
    const [down, across] = [rows[row]!, columns[column]!];
    down.forEach((y, i) => {
      across.forEach((x, j) => {
        const at = patch * TAPS + 2 * i + j;
        corners[at] = BigInt(y.at * side + x.at);
        shares[at] = y.share * x.share;
      });
    });
  });
  return { corners: { values: corners, width: TAPS }, shares: { values: shares, width: TAPS } };
}

/** Along one side: for each patch the two places of the table around it. */
function tapsOf(patches: number, side: number): { at: number; share: number }[][] {
  const { fround } = Math;
  return Array.from({ length: patches }, (_, patch) => {
    const place = fround((patch * (side - 1)) / Math.max(1, patches - 1));
    const floor = Math.min(side - 1, Math.floor(place));
    const upper = fround(place - floor);
    return [
      { at: floor, share: fround(1 - upper) },
      { at: Math.min(side - 1, floor + 1), share: upper },
    ];
  });
}
