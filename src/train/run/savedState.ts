/**
 * Checkpoints of a run: a Hugging Face folder that opens like any other, with the optimiser's moments, the
 * teacher and the step beside it. A folder gets its name when everything in it is on the disk.
 */

import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { parseWith, readJson } from '../../checkpoint/json.ts';
import { readTensor } from '../../checkpoint/safetensors.ts';
import { openSafetensors } from '../../checkpoint/tensorFile.ts';
import {
  cannotWrite,
  isSystemError,
  replaceFile,
  syncFolder,
  writeSafetensors,
  type TensorSource,
} from '../../checkpoint/writeSafetensors.ts';
import { visionGraph } from '../../model/vision.ts';
import { TrainableWeights, type ParameterArray } from '../parameters.ts';
import type { Trainer } from '../trainer.ts';

const MODEL_FILE = 'model.safetensors';
const STATE_TENSORS = 'state.safetensors';
const STATE_FILE = 'state.json';

const State = z.strictObject({ step: z.number().int().min(0) });

/**
 * Saves the trainer's state. The weights are float32, under the names of the release.
 * @param base the checkpoint that training began with; its other files are copied
 * @throws UserError if it cannot be written; a folder of this name is then as it was
 */
export async function saveState(folder: string, trainer: Trainer, base: Checkpoint): Promise<void> {
  const part = `${folder}.part`;
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { recursive: true });
    await copyDescriptions(base, part);
    await writeSafetensors(path.join(part, MODEL_FILE), [
      ...tensorsOf(trainer.student.parameters),
      ...frozenTensors(base),
    ]);
    await writeSafetensors(
      path.join(part, STATE_TENSORS),
      stateArrays(trainer).flatMap(([prefix, array]) => tensorsOf(array, prefix)),
    );
    await writeJson(path.join(part, STATE_FILE), { step: trainer.optimiser.steps });
    await syncFolder(part);
    await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
    await syncFolder(path.dirname(folder));
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined);
    throw isSystemError(error) ? cannotWrite(folder, error) : error;
  }
}

/** Gives a trainer, opened on the checkpoint that training began with, the state that was saved. */
export async function loadState(folder: string, trainer: Trainer): Promise<void> {
  const stateFile = path.join(folder, STATE_FILE);
  const { step } = parseWith(State, await readJson(stateFile), stateFile);
  await fill(trainer.student.parameters, path.join(folder, MODEL_FILE));
  for (const [prefix, array] of stateArrays(trainer))
    await fill(array, path.join(folder, STATE_TENSORS), prefix);
  trainer.optimiser.steps = step;
}

export async function writeJson(file: string, value: unknown): Promise<void> {
  await replaceFile(file, async (handle) => {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
  });
}

/** What training goes on from, but for the weights. */
function stateArrays({ optimiser, teacher }: Trainer): [prefix: string, array: ParameterArray][] {
  return [
    ['first.', optimiser.first],
    ['second.', optimiser.second],
    ['teacher.', teacher.parameters],
  ];
}

function tensorsOf(array: ParameterArray, prefix = ''): TensorSource[] {
  return array.slots.map((slot) => ({
    name: `${prefix}${slot.name}`,
    shape: slot.shape,
    read: () => array.view(slot),
  }));
}

async function fill(array: ParameterArray, file: string, prefix = ''): Promise<void> {
  const tensors = await openSafetensors(file);
  for (const slot of array.slots) array.view(slot).set(await tensors.float32(`${prefix}${slot.name}`));
}

/** The vision tower, as the checkpoint has it. */
function frozenTensors({ config, weights }: Checkpoint): TensorSource[] {
  const asked = new TrainableWeights(weights);
  visionGraph(config.vision, asked);
  return [...asked.refs].map(([name, ref]) => ({ name, shape: ref.shape, read: () => readTensor(ref) }));
}

/** Tokenizer, template, processor and the like; in config.json what is no longer true is changed. */
async function copyDescriptions(base: Checkpoint, folder: string): Promise<void> {
  for (const name of await readdir(base.folder)) {
    if (!/\.(json|jinja|txt)$/.test(name) || name.endsWith('.index.json')) continue;
    if (name === STATE_FILE || name === 'config.json') continue;
    await copyFile(path.join(base.folder, name), path.join(folder, name));
    await flush(path.join(folder, name));
  }
  const file = path.join(base.folder, 'config.json');
  const config = parseWith(z.looseObject({}), await readJson(file), file);
  const dtypes = Object.fromEntries(
    ['torch_dtype', 'dtype'].filter((key) => key in config).map((key) => [key, 'float32']),
  );
  await writeJson(path.join(folder, 'config.json'), {
    ...config,
    ...dtypes,
    latent_size: base.config.latentSize,
  });
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
