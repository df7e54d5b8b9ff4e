/**
 * Quantised checkpoints, told by name. They are not read: their weights are integers, or floats of 8 bits, with
 * scales beside them.
 */

import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { isRecord, show } from './json.ts';
import type { StoredTensor } from './formats/safetensors.ts';

/** How methods are written; others are shown as their config has them. */
const NAMES: Partial<Record<string, string>> = {
  awq: 'AWQ',
  gptq: 'GPTQ',
  bitsandbytes: 'bitsandbytes',
  fp8: 'FP8',
  fbgemm_fp8: 'FP8',
  'compressed-tensors': 'compressed-tensors',
};

/** Where configs keep it: transformers, older llm-compressor, MLX. */
const KEYS = ['quantization_config', 'compression_config', 'quantization'];

const Quantisation = z.looseObject({
  quant_method: z.string().optional(),
  bits: z.number().optional(),
  load_in_4bit: z.boolean().optional(),
  load_in_8bit: z.boolean().optional(),
});

/**
 * Refuses a checkpoint whose config says that it is quantised, at the top or in the part of a tower.
 * @param json content of config.json
 */
export function refuseDeclaredQuantisation(json: unknown, where: string): void {
  if (!isRecord(json)) return;
  for (const part of [json, ...Object.values(json).filter(isRecord)]) {
    for (const key of KEYS) {
      const declared = part[key];
      if (isRecord(declared) && Object.keys(declared).length > 0)
        throw quantised(methodOf(key, declared), `"${key}": ${show(declared)}`, where);
    }
  }
}

function methodOf(key: string, declared: object): string {
  const { quant_method: method, ...more } = Quantisation.safeParse(declared).data ?? {};
  const fourBit = more.load_in_4bit === true ? 4 : undefined;
  const bits = more.bits ?? fourBit ?? (more.load_in_8bit === true ? 8 : undefined);
  const inferred = bits !== undefined && more.bits === undefined ? 'bitsandbytes' : undefined;
  const name = method === undefined ? (inferred ?? (key === 'quantization' ? 'MLX' : 'unnamed')) : method;
  return `${NAMES[name] ?? name}${bits === undefined ? '' : `, ${bits} bits`}`;
}

/** What tensors only a quantised checkpoint has; the first that matches names it. */
const SIGNS: [method: string, sign: (name: string, tensor: StoredTensor) => boolean][] = [
  ['GPTQ', (name) => name.endsWith('.g_idx')],
  ['AWQ or GPTQ', (name) => name.endsWith('.qweight')],
  ['bitsandbytes', (name) => /\.(absmax|quant_map|SCB)$|\.quant_state\./.test(name)],
  ['compressed-tensors', (name) => name.endsWith('.weight_packed')],
  ['MLX', (name, { dtype }) => name.endsWith('.weight') && dtype === 'U32'],
  ['FP8', (_, { dtype }) => dtype.startsWith('F8_')],
  ['FP4', (_, { dtype }) => dtype.startsWith('F4')],
  ['integers', (name, { dtype }) => name.endsWith('.weight') && /^[IU](8|16|32|64)$/.test(dtype)],
];

/** Refuses weights that are quantised whatever the config says. */
export function refuseQuantisedTensors(tensors: ReadonlyMap<string, StoredTensor>): void {
  for (const [method, sign] of SIGNS) {
    const found = [...tensors].find(([name, tensor]) => sign(name, tensor));
    if (found === undefined) continue;
    const [name, { dtype, file }] = found;
    throw quantised(method, `${name.slice(0, 200)} of dtype ${dtype}`, file);
  }
}

function quantised(method: string, found: string, where: string): UserError {
  return new UserError({
    problem: `the checkpoint is quantised (${method}), which is not supported yet`,
    expected: 'weights in float32, float16 or bfloat16',
    found,
    where,
    remedy:
      'Open the model that it was made from; a quantised one usually has its name with the method appended.',
  });
}
