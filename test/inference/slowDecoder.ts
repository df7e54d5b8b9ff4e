/**
 * The decoder once more, written down plainly in double precision: what tests of gradients and attention compare with.
 * It shares no code with the graphs.
 */

import { readFileSync } from 'node:fs';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';

export interface SlowInput {
  /** (T)(C) */
  vectors: number[][];
  /** (T): temporal, height, width. */
  positions: readonly (readonly [number, number, number])[];
  /** What each attention probability is multiplied by, after softmax. */
  scale?: (layer: number, query: number, key: number) => number;
}

export interface SlowRun {
  /** (L)(H)(T)(T), before any scale. */
  attention: number[][][][];
  /** (T)(V) */
  logits: number[][];
}

type Matrix = (x: number[]) => number[];

/** @returns the decoder of a checkpoint of float32 weights, for few and short sequences */
export function slowDecoder({ config, weights }: Checkpoint): (input: SlowInput) => SlowRun {
  const { text } = config;
  const { hiddenSize: C, heads: H, kvHeads: K, headSize: d, feedForwardSize: F, vocabularySize: V } = text;
  const files = new Map<string, Buffer>();
  const read = (name: string, shape: number[]): number[] => {
    const { file, offset, length } = weights.get(name, shape);
    const bytes = files.get(file) ?? readFileSync(file);
    files.set(file, bytes);
    return Array.from({ length: length / 4 }, (_, i) => bytes.readFloatLE(offset + 4 * i));
  };
  const linear = (name: string, rows: number, columns: number, bias = false): Matrix => {
    const w = read(`${name}.weight`, [rows, columns]);
    const b = bias ? read(`${name}.bias`, [rows]) : new Array<number>(rows).fill(0);
    return (x) => b.map((start, r) => x.reduce((sum, value, c) => sum + value * w[r * columns + c]!, start));
  };
  const norm = (name: string): Matrix => {
    const w = read(name, [C]);
    return (x) => {
      const r = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / C + text.normEpsilon);
      return x.map((value, c) => (value / r) * w[c]!);
    };
  };
  const layers = Array.from({ length: text.layers }, (_, l) => {
    const p = `model.layers.${l}`;
    return {
      before: norm(`${p}.input_layernorm.weight`),
      q: linear(`${p}.self_attn.q_proj`, H * d, C, true),
      k: linear(`${p}.self_attn.k_proj`, K * d, C, true),
      v: linear(`${p}.self_attn.v_proj`, K * d, C, true),
      o: linear(`${p}.self_attn.o_proj`, C, H * d),
      between: norm(`${p}.post_attention_layernorm.weight`),
      gate: linear(`${p}.mlp.gate_proj`, F, C),
      up: linear(`${p}.mlp.up_proj`, F, C),
      down: linear(`${p}.mlp.down_proj`, C, F),
    };
  });
  const last = norm('model.norm.weight');
  const head = linear(text.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head', V, C);
  const axes = text.mropeSection.flatMap((count, axis) => new Array<number>(count).fill(axis));
  const turned = (x: number[], place: readonly number[]): number[] =>
    x.map((value, i) => {
      const j = i % d;
      const pair = j % (d / 2);
      const angle = place[axes[pair]!]! / text.ropeTheta ** (pair / (d / 2));
      const partner = j < d / 2 ? -x[i + d / 2]! : x[i - d / 2]!;
      return value * Math.cos(angle) + partner * Math.sin(angle);
    });
  const add = (a: number[], b: number[]): number[] => a.map((value, i) => value + b[i]!);

  return ({ vectors, positions, scale = () => 1 }) => {
    let x = vectors;
    const attention = layers.map((layer, l) => {
      const normed = x.map(layer.before);
      const q = normed.map((row, t) => turned(layer.q(row), positions[t]!));
      const k = normed.map((row, t) => turned(layer.k(row), positions[t]!));
      const v = normed.map(layer.v);
      const mixed = x.map(() => [] as number[]);
      const maps = Array.from({ length: H }, (_, h) => {
        const at = Math.floor(h / (H / K)) * d;
        return q.map((row, t) => {
          const query = row.slice(h * d, (h + 1) * d);
          const powers = k.slice(0, t + 1).map((key) => {
            const score = query.reduce((sum, value, i) => sum + value * key[at + i]!, 0);
            return Math.exp(score / Math.sqrt(d));
          });
          const total = powers.reduce((sum, value) => sum + value, 0);
          const shares = powers.map((value) => value / total);
          for (let i = 0; i < d; i++)
            mixed[t]!.push(
              shares.reduce((sum, share, key) => sum + share * scale(l, t, key) * v[key]![at + i]!, 0),
            );
          return shares;
        });
      });
      x = x.map((row, t) => add(row, layer.o(mixed[t]!)));
      x = x.map((row) => {
        const input = layer.between(row);
        const up = layer.up(input);
        const gated = layer.gate(input).map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!);
        return add(row, layer.down(gated));
      });
      return maps;
    });
    return { attention, logits: x.map((row) => head(last(row))) };
  };
}
