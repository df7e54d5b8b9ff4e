/**
 * Checkpoints of a run: a Hugging Face folder that opens like any other, with the optimiser's moments, the
 * teacher and the step beside it. A folder gets its name when everything in it is on the disk.
 */

import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { isFile, parseWith, readJson } from '../../checkpoint/json.ts';
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
import { baseWeights } from '../base.ts';
import type { ParameterArray } from '../parameters.ts';
import { isHead } from '../perception.ts';
import type { TrainState } from './step.ts';

const MODEL_FILE = 'model.safetensors';
const STATE_TENSORS = 'state.safetensors';
const STATE_FILE = 'state.json';

const State = z.strictObject({ step: z.number().int().min(0) });

/**
 * Saves the trainer's state. The weights are float32, under the names of the release.
 * @param base the checkpoint that training began with; its other files are copied
 * @throws UserError if it cannot be written; a folder of this name is then as it was
 */
export async function saveState(folder: string, state: TrainState, base: Checkpoint): Promise<void> {
  const part = `${folder}.part`;
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { recursive: true });
    await copyDescriptions(base, part);
    await writeSafetensors(path.join(part, MODEL_FILE), [
      ...tensorsOf(state.student).filter(({ name }) => !isHead(name)),
      ...frozenTensors(base, state.student),
    ]);
    await writeSafetensors(path.join(part, STATE_TENSORS), [
      ...tensorsOf(state.student).filter(({ name }) => isHead(name)),
      ...stateArrays(state).flatMap(([prefix, array]) => tensorsOf(array, prefix)),
    ]);
    await writeJson(path.join(part, STATE_FILE), { step: state.optimiser.steps });
    await syncFolder(part);
    await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
    await syncFolder(path.dirname(folder));
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined);
    throw isSystemError(error) ? cannotWrite(folder, error) : error;
  }
}

/** Gives a state, opened on the checkpoint that training began with, what was saved. */
export async function loadState(folder: string, state: TrainState): Promise<void> {
  const stateFile = path.join(folder, STATE_FILE);
  const { step } = parseWith(State, await readJson(stateFile), stateFile);
  const [model, rest] = [await openSafetensors(path.join(folder, MODEL_FILE)), await openState(folder)];
  for (const slot of state.student.slots)
    state.student.view(slot).set(await (isHead(slot.name) ? rest : model).float32(slot.name));
  for (const [prefix, array] of stateArrays(state))
    for (const slot of array.slots) array.view(slot).set(await rest.float32(`${prefix}${slot.name}`));
  state.optimiser.steps = step;
}

/** The perception head that was trained with a model; empty for a model that has none. */
export async function readHead(folder: string): Promise<Map<string, Float32Array>> {
  const head = new Map<string, Float32Array>();
  if (!(await isFile(path.join(folder, STATE_TENSORS)))) return head;
  const state = await openState(folder);
  for (const name of state.names.filter(isHead)) head.set(name, await state.float32(name));
  return head;
}

function openState(folder: string): ReturnType<typeof openSafetensors> {
  return openSafetensors(path.join(folder, STATE_TENSORS));
}

export async function writeJson(file: string, value: unknown): Promise<void> {
  await replaceFile(file, async (handle) => {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
  });
}

/** What training goes on from, but for the weights. */
function stateArrays({ optimiser, teacher }: TrainState): [prefix: string, array: ParameterArray][] {
  return [
    ['first.', optimiser.first],
    ['second.', optimiser.second],
    ...(teacher === undefined ? [] : ([['teacher.', teacher]] as const)).map(
      ([prefix, array]): [string, ParameterArray] => [prefix, array],
    ),
  ];
}

function tensorsOf(array: ParameterArray, prefix = ''): TensorSource[] {
  return array.slots.map((slot) => ({
    name: `${prefix}${slot.name}`,
    shape: slot.shape,
    read: () => array.view(slot),
  }));
}

/** What is not trained, as the checkpoint has it. */
function frozenTensors({ config, weights }: Checkpoint, trained: ParameterArray): TensorSource[] {
  const names = new Set(trained.slots.map(({ name }) => name));
  return [...baseWeights(config, weights, true)]
    .filter(([name]) => !names.has(name) && !isHead(name))
    .map(([name, ref]) => ({ name, shape: ref.shape, read: () => readTensor(ref) }));
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
    ...(base.config.latentReach !== undefined && { latent_reach: base.config.latentReach }),
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
