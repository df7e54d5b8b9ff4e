/**
 * What a list of runs shows of each, in a small file beside its trace, so that no list opens traces. Knows nothing of
 * VS Code.
 */

import * as z from 'zod';
import { DEVICES } from '../../tensor/device.ts';
import { statedAnswer } from '../../trace/answer.ts';
import { describeBranch } from '../../trace/branch.ts';
import type { Trace, TraceBranch } from '../../trace/schema.ts';
import { totalTime } from '../../trace/timing.ts';

/** Of a name that a user gives a run. */
export const MAX_RUN_NAME = 120;
/** Of an answer in a list; a model may write anything. */
const MAX_ANSWER = 200;

/** All but the first five fields are absent in what older versions wrote, and while a run has not got so far. */
export const runSummary = z.object({
  id: z.string(),
  createdAt: z.string(),
  status: z.enum(['running', 'complete', 'cancelled', 'failed']),
  question: z.string(),
  pictures: z.array(z.string()),
  /** The user's own. */
  name: z.string().max(MAX_RUN_NAME).optional(),
  answer: z.string().optional(),
  verdict: z.object({ right: z.boolean(), expected: z.string().optional(), source: z.string() }).optional(),
  model: z.string().optional(),
  device: z.object({ provider: z.enum(DEVICES), name: z.string() }).optional(),
  weights: z.string().optional(),
  milliseconds: z.number().optional(),
  /** Of a branch: what it goes on from, and what was changed. */
  branch: z.object({ parent: z.string(), at: z.number(), what: z.string() }).optional(),
  settings: z
    .object({
      latents: z.string(),
      temperature: z.number(),
      topP: z.number(),
      seed: z.number(),
      repetitionPenalty: z.number(),
      maxTokens: z.number(),
      placement: z.string(),
      helpers: z.string(),
      minPixels: z.number().optional(),
      maxPixels: z.number().optional(),
      system: z.string().optional(),
    })
    .optional(),
});

/** What a list of runs shows of one. */
export type RunSummary = z.output<typeof runSummary>;
type Settings = NonNullable<RunSummary['settings']>;

/** A difference between two runs: which setting, and its value in the later one; undefined is the checkpoint's own. */
export interface SettingChange {
  setting: keyof Settings | 'model' | 'device' | 'weights';
  value: string | number | undefined;
}

/** Of a trace, whole or still growing. */
export function summaryOf(trace: Trace): RunSummary {
  const { id, createdAt, status, question, verdict, model, device, settings } = trace;
  const pictures = trace.pictures.filter(({ role }) => role === 'input').map(({ name }) => name);
  const answer = statedAnswer(trace)?.slice(0, MAX_ANSWER);
  const milliseconds = totalTime(trace.timings);
  return {
    id,
    createdAt,
    status,
    question,
    pictures,
    model: model.name,
    weights: model.weights ?? 'float32',
    device: { provider: device.provider, name: device.name },
    settings: settingsIn(settings),
    ...(answer !== undefined && { answer }),
    ...(verdict !== undefined && { verdict }),
    ...(trace.branch !== undefined && { branch: branchOf(trace.branch) }),
    ...(milliseconds !== undefined && { milliseconds }),
  };
}

function branchOf(branch: TraceBranch): NonNullable<RunSummary['branch']> {
  return { parent: branch.parent, at: branch.at, what: describeBranch(branch) };
}

/** The pictures of one question in a title: "map-01.png + 2"; empty without any. */
export function pictureTitle(names: readonly string[]): string {
  const [first = '', ...others] = names;
  return others.length === 0 ? first : `${first} + ${others.length}`;
}

/** What was set otherwise than in the earlier run. Nothing where either does not say. */
export function settingChanges(earlier: RunSummary, later: RunSummary): SettingChange[] {
  const [before, now] = [comparable(earlier), comparable(later)];
  if (before === undefined || now === undefined) return [];
  const settings = Object.keys({ ...before, ...now }) as SettingChange['setting'][];
  return settings
    .filter((setting) => before[setting] !== now[setting])
    .map((setting) => ({ setting, value: now[setting] }));
}

/** The next older run about the same pictures, in a list that begins with the newest. */
export function runBefore(runs: readonly RunSummary[], at: number): RunSummary | undefined {
  const same = JSON.stringify(runs[at]?.pictures);
  return runs.slice(at + 1).find(({ pictures }) => JSON.stringify(pictures) === same);
}

function comparable({ settings, model, device, weights }: RunSummary) {
  if (settings === undefined) return undefined;
  const all: Partial<Record<SettingChange['setting'], string | number | undefined>> = {
    model,
    device: device?.provider,
    weights,
    ...settings,
  };
  return all;
}

function settingsIn(settings: Trace['settings']): Settings {
  const { latents, temperature, topP, seed, repetitionPenalty, maxTokens, placement, helpers } = settings;
  const { minPixels, maxPixels, system } = settings;
  return {
    latents,
    temperature,
    topP,
    seed,
    repetitionPenalty,
    maxTokens,
    placement,
    helpers,
    ...(minPixels !== undefined && { minPixels }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(system !== undefined && { system }),
  };
}
