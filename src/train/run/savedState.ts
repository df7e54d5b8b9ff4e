/**
 * Checkpoints of a run: a Hugging Face folder, or a PEFT adapter's, that opens like any other, with the
 * optimiser's moments, the teacher and the step beside it.
 */

import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../base/errors.ts';
import { ADAPTER_TENSORS } from '../../checkpoint/adapter/adapter.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { isFile } from '../../files/plainFile.ts';
import { parseWith, readJson } from '../../checkpoint/json.ts';
import { readMerged, withoutAdapter } from '../../checkpoint/adapter/merge.ts';
import { openSafetensors } from '../../checkpoint/formats/tensorFile.ts';
import { adapterTensorName, writeAdapter } from '../../checkpoint/adapter/write.ts';
import { copyDescriptions } from '../../checkpoint/copyDescriptions.ts';
import { TRAINED_ON_FILE } from '../../checkpoint/trainedOn.ts';
import { writeJson } from '../../files/replaceFile.ts';
import { replaceFolder } from '../../files/replaceFolder.ts';
import { writeSafetensors, type TensorSource } from '../../checkpoint/formats/writeSafetensors.ts';
import type { TrainedHead } from '../base/learner.ts';
import { baseWeights } from '../base/student.ts';
import type { ParameterSet, Slot } from '../parameters/parameters.ts';
import { isHead } from '../base/perception.ts';
import type { LoraSettings } from '../recipe/lora.ts';
import type { TrainState } from '../step.ts';

const MODEL_FILE = 'model.safetensors';
const STATE_TENSORS = 'state.safetensors';
const STATE_FILE = 'state.json';

/** What is saved. */
export interface RunState extends TrainState {
  /** Where an adapter is trained in place of the weights. */
  lora?: LoraSettings;
}

const State = z.strictObject({ step: z.number().int().min(0) });

/**
 * Saves the trainer's state. The weights are float32, under the names of the release.
 * @param base the checkpoint that training began with; its other files are copied
 * @throws UserError if it cannot be written; a folder of this name is then as it was
 */
export async function saveState(folder: string, state: RunState, base: Checkpoint): Promise<void> {
  await replaceFolder(folder, async (part) => {
    await writeLearnt(part, state, base);
    await writeSafetensors(path.join(part, STATE_TENSORS), [
      ...tensorsOf(state.student).filter(({ name }) => isHead(name)),
      ...stateSets(state).flatMap(([prefix, set]) => tensorsOf(set, prefix)),
    ]);
    await writeJson(path.join(part, STATE_FILE), { step: state.optimiser.steps });
  });
}

/** Gives a state, opened on the checkpoint that training began with, what was saved. */
export async function loadState(folder: string, state: RunState): Promise<void> {
  const stateFile = path.join(folder, STATE_FILE);
  const { step } = parseWith(State, await readJson(stateFile), stateFile);
  const isAdapter = state.lora !== undefined;
  const file = isAdapter ? ADAPTER_TENSORS : MODEL_FILE;
  const [learnt, rest] = [await openSafetensors(path.join(folder, file)), await openState(folder)];
  for (const slot of state.student.slots) {
    const name = isAdapter ? adapterTensorName(slot.name) : slot.name;
    const values = await (isHead(name) ? rest.float32(name) : learnt.float32(name));
    checkLength(slot, values, folder);
    await state.student.write(slot, values);
  }
  for (const [prefix, set] of stateSets(state))
    for (const slot of set.slots) await set.write(slot, await rest.float32(`${prefix}${slot.name}`));
  state.optimiser.steps = step;
}

/** An earlier version's perception head told fewer properties: its numbers would be taken for those of others. */
function checkLength({ name, length }: Slot, values: Float32Array, where: string): void {
  if (values.length === length) return;
  throw new UserError({
    problem: 'This run was begun by another version, whose weights have other sizes',
    expected: `${length} numbers of ${name}`,
    found: String(values.length),
    where,
    remedy: 'Begin another run with this checkpoint as its "model".',
  });
}

/** The perception head that was trained with a model; empty for a model that has none. */
export async function readHead(folder: string): Promise<TrainedHead> {
  const head = new Map<string, Float32Array>();
  if (!(await isFile(path.join(folder, STATE_TENSORS)))) return head;
  const state = await openState(folder);
  for (const name of state.names.filter(isHead)) head.set(name, await state.float32(name));
  return head;
}

function openState(folder: string): ReturnType<typeof openSafetensors> {
  return openSafetensors(path.join(folder, STATE_TENSORS));
}

/** The model, or the adapter for the model that training began with. */
async function writeLearnt(folder: string, { student, lora }: RunState, base: Checkpoint): Promise<void> {
  if (lora !== undefined) {
    await writeAdapter(folder, { ...lora, base: base.folder, tensors: tensorsOf(student) });
    return;
  }
  await copyDescriptions(base.folder, folder, [STATE_FILE, TRAINED_ON_FILE]);
  await writeConfig(base, folder);
  await writeSafetensors(path.join(folder, MODEL_FILE), [
    ...tensorsOf(student).filter(({ name }) => !isHead(name)),
    ...frozenTensors(base, student),
  ]);
}

/** What training goes on from, but for the weights. */
function stateSets({ optimiser, teacher }: RunState): [prefix: string, set: ParameterSet][] {
  return [
    ['first.', optimiser.first],
    ['second.', optimiser.second],
    ...(teacher === undefined ? [] : [['teacher.', teacher] satisfies [string, ParameterSet]]),
  ];
}

function tensorsOf(set: ParameterSet, prefix = ''): TensorSource[] {
  return set.slots.map((slot) => ({
    name: `${prefix}${slot.name}`,
    shape: slot.shape,
    read: () => set.read(slot),
  }));
}

/** What is not trained, as the checkpoint has it, an adapter of these weights merged in. */
function frozenTensors({ config, weights }: Checkpoint, trained: ParameterSet): TensorSource[] {
  const names = new Set(trained.slots.map(({ name }) => name));
  return [...baseWeights(config, withoutAdapter(weights), true)]
    .filter(([name]) => !names.has(name) && !isHead(name))
    .map(([name, { shape }]) => ({ name, shape, read: () => readMerged(weights.get(name, shape)) }));
}

/** The base's config, with what is no longer true changed. */
async function writeConfig(base: Checkpoint, folder: string): Promise<void> {
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
