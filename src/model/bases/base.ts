/**
 * A base model: what is its own of vision tower and decoder. Everything else asks it by this interface, so that
 * another base is a folder beside the others, its name in ./name.ts, and its reading of the files of a checkpoint
 * (../../checkpoint/bases). The compiler says what is missing.
 */

import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import type { VisionConfig } from '../config.ts';
import type { Axis, PatchGrid } from '../grid.ts';
import type { WeightSource } from '../weightSource.ts';

export interface BaseModel {
  /** As its makers write it: "Qwen2.5-VL". */
  label: string;
  decoder: DecoderParts;
  tower: TowerParts;
  /** Whether ILVR's recipe, the phase before it and new random weights know this base. */
  isTrained: boolean;
}

/** What a decoder layer has beside RMSNorm, grouped-query attention, rotation and SwiGLU. */
export interface DecoderParts {
  /** Whether queries, keys and values have a bias. */
  bias: boolean;
  /** Whether each head's queries and keys are normed (RMSNorm over d) before they are rotated. */
  headNorms: boolean;
  /**
   * M-RoPE: the axis that each of the d / 2 frequencies turns with.
   * @param section how many belong to each axis
   */
  axes: (section: readonly [number, number, number]) => Axis[];
}

/** What all parts of a tower's graph share. */
export interface Tower {
  graph: GraphBuilder;
  config: VisionConfig;
  weights: WeightSource;
  /** (1, S, d/2) */
  angles: { cos: Value; sin: Value };
}

/** A vision tower is blocks of attention and feed-forward between an embedding of patches and a merger. */
export interface TowerParts {
  /** pixels (S, pixels per patch) → what the first block reads (S, C) */
  embed: (tower: Tower, pixels: Value) => Value;
  /** A block's norm before its attention (norm1) or its feed-forward (norm2): (S, C) → (S, C) */
  norm: (tower: Tower, block: number, name: 'norm1' | 'norm2', x: Value) => Value;
  /** A block's feed-forward: (S, C) → (S, C) */
  feedForward: (tower: Tower, block: number, x: Value) => Value;
  /** mergeSize² neighbouring patches, which are consecutive rows, into one token: (S, C) → (S / M, outputSize) */
  merge: (tower: Tower, x: Value) => Value;
  /** What becomes of a level's block, as `merge` of the last: (S, C) → (S / M, outputSize). Needed where there are levels. */
  mergeLevel?: (tower: Tower, level: number, x: Value) => Value;
  /** Inputs that `embed` asks the graph for, with so many numbers for each of the picture's patches. */
  inputs?: (config: VisionConfig, grid: PatchGrid) => Record<string, PatchInput>;
  /** Matrices of the blocks' feed-forward and of what comes after the blocks, which may be stored in few bits. */
  matrices: (config: VisionConfig) => { block: (block: number) => TowerMatrix[]; rest: TowerMatrix[] };
}

/** (N, width) */
export interface PatchInput {
  values: Float32Array | BigInt64Array;
  width: number;
}

/** Matrices of one width that read the same rows, one under the other. */
export interface TowerMatrix {
  /** Short: "gate_up". */
  name: string;
  columns: number;
  sources: readonly (readonly [weight: string, rows: number])[];
}
