/**
 * Writes LoRA adapters in the layout of PEFT (its `save_pretrained`), which ./adapter.ts reads. Modules have the
 * names of transformers 4.52 and later: PEFT on an older one then says that it does not find them, whereas
 * older names on a newer one would be left out with a warning.
 */

import path from 'node:path';
import { CONFIG_FILES } from '../../files/modelFolder.ts';
import { ADAPTER_TENSORS } from './adapter.ts';
import { newerName } from '../names.ts';
import { writeJson } from '../../files/replaceFile.ts';
import { writeSafetensors, type TensorSource } from '../formats/writeSafetensors.ts';

export interface WrittenAdapter {
  rank: number;
  alpha: number;
  dropout: number;
  /** Projections of the language model's layers. */
  targets: readonly string[];
  /** Folder of the base model. */
  base: string;
  /** `model.layers.….lora_A.weight` and `….lora_B.weight` */
  tensors: readonly TensorSource[];
}

/** The name that PEFT gives to a factor of a module. */
export function adapterTensorName(name: string): string {
  return `base_model.model.${newerName(name)}`;
}

/** Writes the two files into a folder that exists. @throws UserError if the disk refuses */
export async function writeAdapter(folder: string, adapter: WrittenAdapter): Promise<void> {
  await writeSafetensors(
    path.join(folder, ADAPTER_TENSORS),
    adapter.tensors.map((tensor) => ({ ...tensor, name: adapterTensorName(tensor.name) })),
  );
  await writeJson(path.join(folder, CONFIG_FILES.adapter), configOf(adapter));
}

/** Settings that every release of PEFT knows; the others have neutral defaults. */
function configOf({ rank, alpha, dropout, targets, base }: WrittenAdapter): object {
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: base,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    // A list of names would name the vision tower's feed-forward layers as well.
    target_modules: `model\\.language_model\\.layers\\.\\d+\\.\\w+\\.(?:${targets.join('|')})`,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    modules_to_save: null,
  };
}
