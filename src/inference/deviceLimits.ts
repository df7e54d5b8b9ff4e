/**
 * The limit that a GPU sets to a single weight: WebGPU promises 256 MiB a buffer and 128 MiB a binding, most adapters have
 * more. The runtime does not tell beforehand what an adapter has, so it is learnt from its refusal.
 */

import { messageOf, UserError } from '../base/errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { inBytes } from '../process/memory.ts';
import { matricesOf } from '../quantise/matrices.ts';
import { formatOf, isScheme, layoutOf } from '../quantise/schemes.ts';
import { BYTES } from '../tensor/dtype.ts';
import { formatLabel, type WeightFormat } from '../tensor/weightFormat.ts';

/** A weight as it lies in a device's memory. */
export interface DeviceWeight {
  /** As the checkpoint calls it, joined ones by the first. */
  name: string;
  bytes: number;
}

/** The largest of all matrices in a format; a matrix in few bits is a buffer without its scales. */
export function largestWeight(config: ModelConfig, format: WeightFormat): DeviceWeight {
  return weightsIn(config, format).reduce((largest, each) => (each.bytes > largest.bytes ? each : largest));
}

function weightsIn(config: ModelConfig, format: WeightFormat): DeviceWeight[] {
  return matricesOf(config).flatMap(({ part, sources, columns }) => {
    if (!isScheme(format)) {
      const width = columns * (format === 'float16' ? BYTES.F16 : BYTES.F32);
      return sources.map(({ weight, rows }) => ({ name: weight, bytes: rows * width }));
    }
    const rows = sources.reduce((sum, source) => sum + source.rows, 0);
    const [height, blocks, bytes] = layoutOf(formatOf(format, part), rows, columns).data;
    return [{ name: sources[0]!.weight, bytes: height * blocks * bytes }];
  });
}

/** How Dawn and the runtime refuse: the size that was asked for, then the most that there can be. */
const REFUSALS = [
  /Buffer size \((\d+)\) exceeds the max buffer size limit \((\d+)\)/,
  /Binding size \((\d+)\) of .* is larger than the maximum storage buffer binding size \((\d+)\)/,
  /(\d+) bytes, exceeding maxStorageBufferBindingSize of (\d+)/,
];

/**
 * What to throw where a model could not be opened because a weight is too large for the device; undefined for any other
 * error.
 */
export function tooLargeForDevice(
  error: unknown,
  config: ModelConfig,
  format: WeightFormat,
  formats: readonly WeightFormat[],
): UserError | undefined {
  const told = error instanceof UserError ? error.cause : error;
  const match = REFUSALS.map((each) => each.exec(messageOf(told))).find((found) => found !== null);
  if (!match) return undefined;
  const [asked, most] = [Number(match[1]), Number(match[2])];
  const weight = weightsIn(config, format).find(({ bytes }) => bytes === asked);
  const what = weight === undefined ? 'one of its tensors' : weight.name;
  const fitting = formats.filter((each) => largestWeight(config, each).bytes <= most);
  return new UserError(
    {
      problem: "A weight is larger than this GPU's buffers may be",
      expected: `${inBytes(most)} at most`,
      found: `${what}, ${inBytes(asked)} in ${formatLabel(format)}`,
      remedy:
        fitting.length === 0
          ? 'Use the CPU (--device cpu, setting ilvr.device).'
          : `Choose ${fitting.join(' or ')} weights (--weights, setting ilvr.weights), or use the CPU.`,
    },
    { cause: error },
  );
}
