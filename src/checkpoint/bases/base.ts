/** How a base model's own part of a checkpoint's files is read and written; ../../model/bases has what is computed. */

import { z } from 'zod';
import { UserError } from '../../base/errors.ts';
import type { ModelConfig, VisionConfig } from '../../model/config.ts';

export interface CheckpointBase {
  /** First entry of `architectures`, as transformers names it. */
  architecture: string;
  /** `model_type` of the whole and of its language model. */
  modelTypes: readonly string[];
  text: {
    /** Where config.json does not say. */
    ropeTheta: number;
    mropeSection?: [number, number, number];
  };
  /**
   * @param json `vision_config`
   * @param where for messages
   * @throws UserError naming a setting that is wrong or not supported
   */
  vision: (json: unknown, where: string) => VisionConfig;
  /** What the image processor takes where its file does not say. */
  processor: ProcessorDefaults;
  /** What is written when a checkpoint is exported; absent: it is not. */
  exported?: ExportedFiles;
}

export interface ProcessorDefaults {
  minPixels: number;
  maxPixels: number;
  patchSize: number;
  mean: [number, number, number];
  std: [number, number, number];
}

export interface ExportedFiles {
  /** config.json, from the settings of the one that was read: all but `vision_config`, in one level, and that. */
  config: (flat: Record<string, unknown>, vision: Record<string, unknown>, config: ModelConfig) => object;
  /** Classes that preprocessor_config.json names. */
  imageProcessor: string;
  processor: string;
}

/** Generous bounds, so that a hostile config cannot make us build a graph without end. */
export const size = z.int().positive().max(1_000_000);
export const count = z.int().positive().max(1_000);

/** @throws UserError unless the condition holds */
export function ensure(condition: boolean, expected: string, found: string, where: string): void {
  if (condition) return;
  throw new UserError({
    problem: 'the settings of the model contradict each other or are not supported',
    expected,
    found,
    where,
    remedy: 'Compare the file with the one that the makers of the model published.',
  });
}
