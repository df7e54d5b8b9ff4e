/**
 * The extension's settings, checked. A value that VS Code's own editor would underline can still
 * stand in settings.json, so each is read as unknown and refused by name.
 */

import { isAbsolute, resolve } from 'node:path';
import * as vscode from 'vscode';
import { UserError } from '../base/errors.ts';
import { bundledModelIn, folderOfModel } from '../files/bundledModels.ts';
import { REASON_DEFAULTS, type ReasonRequest } from '../protocol/engine.ts';
import { DEVICE_CHOICES, type DeviceChoice } from '../tensor/device.ts';
import { WEIGHT_CHOICES, type WeightChoice } from '../tensor/weightFormat.ts';

export const SECTION = 'ilvr';
/** What is asked when nobody says otherwise; the bundled model was trained on it. */
export const DEFAULT_QUESTION = 'Find a safe path to the goal.';

/** How a run is made: all of a request but its question, pictures, id and file. */
export interface RunSettings extends Omit<
  ReasonRequest,
  'id' | 'arrays' | 'question' | 'images' | 'helpers'
> {
  /** Absolute path of the checkpoint's folder. */
  model: string;
  /** Absolute path of an adapter's folder. */
  adapter?: string;
  device: DeviceChoice;
  weights: WeightChoice;
}

/** Reads every setting that a run needs; `overrides` win and are checked alike. */
export function readRunSettings(
  context: vscode.ExtensionContext,
  overrides: Partial<RunSettings> = {},
): RunSettings {
  const repetitionPenalty = optionalNumber('repetitionPenalty', overrides, (value) => value > 0, 'above 0');
  const minPixels = optionalNumber('minPixels', overrides, isCount, 'a whole number of 1 or more');
  const maxPixels = optionalNumber('maxPixels', overrides, isCount, 'a whole number of 1 or more');
  const system = text('system', 'system', overrides);
  const adapter = folder('adapter', overrides.adapter);
  const protocol = rules(overrides.protocol);
  return {
    model: modelFolder(context, overrides.model),
    device: oneOf('device', 'device', DEVICE_CHOICES, overrides),
    weights: oneOf('weights', 'weights', WEIGHT_CHOICES, overrides),
    latents: oneOf('latents', 'latents', ['forced', 'free'], overrides),
    temperature: number('temperature', overrides, (value) => value >= 0, '0 or more'),
    topP: number('topP', overrides, (value) => value > 0 && value <= 1, 'above 0 and at most 1'),
    seed: number('seed', overrides, Number.isSafeInteger, 'a whole number'),
    maxTokens: number('maxTokens', overrides, isCount, 'a whole number of 1 or more'),
    placement: oneOf('imagePlacement', 'placement', ['auto', 'first', 'last', 'placeholder'], overrides),
    helperMode: oneOf('helpers', 'helperMode', ['reference', 'prompt'], overrides),
    force: overrides.force ?? REASON_DEFAULTS.force,
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
    ...(minPixels !== undefined && { minPixels }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(system !== '' && { system }),
    ...(adapter !== undefined && { adapter }),
    // No setting of the window: it comes with a run, and the engine checks it.
    ...(protocol !== undefined && { protocol }),
  };
}

/** Where models run. */
export function deviceSetting(): DeviceChoice {
  return oneOf('device', 'device', DEVICE_CHOICES, {});
}

/** The question the input box starts with. */
export function defaultQuestion(): string {
  const question = configured('question');
  return typeof question === 'string' && question.trim() !== '' ? question : DEFAULT_QUESTION;
}

/** Absolute path of the chosen checkpoint, or of the bundled one. */
export function modelFolder(context: vscode.ExtensionContext, override?: string): string {
  const value = override ?? configured('model');
  const isBundled = typeof value === 'string' && bundledModelIn(value.trim()) !== undefined;
  const chosen = isBundled ? value.trim() : folder('model', override);
  return folderOfModel(context.asAbsolutePath('models'), chosen);
}

/** Absolute path of a folder setting; a relative one starts at the first workspace folder. */
function folder(name: 'model' | 'adapter', override?: string): string | undefined {
  const value = override ?? configured(name) ?? '';
  if (typeof value !== 'string') throw badSetting(name, 'a folder', value);
  const path = value.trim();
  if (path === '') return undefined;
  if (isAbsolute(path)) return path;
  const workspace = vscode.workspace.workspaceFolders?.[0];
  if (workspace === undefined) {
    throw badSetting(name, 'an absolute path, because no folder is open', value);
  }
  return resolve(workspace.uri.fsPath, path);
}

function oneOf<const Value extends string>(
  name: string,
  key: keyof RunSettings,
  allowed: readonly Value[],
  overrides: Partial<RunSettings>,
): Value {
  const value = overrides[key] ?? configured(name);
  const match = allowed.find((option) => option === value);
  if (match === undefined) throw badSetting(name, allowed.map((option) => `"${option}"`).join(' or '), value);
  return match;
}

function number(
  name: 'temperature' | 'topP' | 'seed' | 'maxTokens',
  overrides: Partial<RunSettings>,
  isValid: (value: number) => boolean,
  expected: string,
): number {
  const value = overrides[name] ?? configured(name);
  if (typeof value !== 'number' || !Number.isFinite(value) || !isValid(value)) {
    throw badSetting(name, expected, value);
  }
  return value;
}

/** null means that the checkpoint's own value holds. */
function optionalNumber(
  name: 'repetitionPenalty' | 'minPixels' | 'maxPixels',
  overrides: Partial<RunSettings>,
  isValid: (value: number) => boolean,
  expected: string,
): number | undefined {
  const value = overrides[name] ?? configured(name) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value) || !isValid(value)) {
    throw badSetting(name, `${expected}, or null for the checkpoint's own`, value);
  }
  return value;
}

function text(name: string, key: 'system', overrides: Partial<RunSettings>): string {
  const value = overrides[key] ?? configured(name) ?? '';
  if (typeof value !== 'string') throw badSetting(name, 'text', value);
  return value;
}

/** Rules by their names, which the engine checks against the model; null or none of them: the model's own. */
function rules(override: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  const value = override ?? configured('protocol') ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw badSetting('protocol', 'an object, such as {"count": 4}, or null for the model\'s own', value);
  // What VS Code gives is a view of its own, which no message can carry.
  const plain = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
  return Object.keys(plain).length === 0 ? undefined : plain;
}

/** Sets a setting for all windows, or for the workspace where that chooses its own. */
export async function saveSetting(name: string, value: string | undefined): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const target =
    configuration.inspect(name)?.workspaceValue === undefined
      ? vscode.ConfigurationTarget.Global
      : vscode.ConfigurationTarget.Workspace;
  await configuration.update(name, value, target);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function configured(name: string): unknown {
  return vscode.workspace.getConfiguration(SECTION).get<unknown>(name);
}

/** A setting that cannot be used; the report offers to open it. */
export class SettingError extends UserError {
  readonly setting: string;

  constructor(setting: string, expected: string, found: unknown) {
    super({
      problem: `The setting "${setting}" cannot be used`,
      expected,
      found: JSON.stringify(found) ?? 'nothing',
      remedy: 'Correct it in the settings, or reset it.',
    });
    this.setting = setting;
  }
}

function badSetting(name: string, expected: string, found: unknown): SettingError {
  return new SettingError(`${SECTION}.${name}`, expected, found);
}
