/**
 * Both directions of the channel between a client (extension host or command line) and the engine
 * process. The first call is `hello`; a client of another version is refused there.
 *
 * Large numbers travel as typed arrays (structured clone). Events of a run arrive in order and
 * before the run's own promise settles.
 */

import type { Activity } from '../base/activity.ts';
import type { InterventionKind, InterventionScope } from '../analysis/intervention.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Device, DeviceChoice } from '../tensor/device.ts';
import type { WeightChoice, WeightFormat } from '../tensor/weightFormat.ts';
import type { TracePast } from '../trace/branch.ts';
import type { TraceBranch, TraceDevice, TraceModel, TracePicture, TracePrompt } from '../trace/schema.ts';
import type { AnalyseRequest, AnalysisOutcome, RunQuestion } from './analyse.ts';

/** Raised with every change of this file. */
export const ENGINE_PROTOCOL_VERSION = 11;

export interface EngineMethods {
  /** Version handshake; must be the first call. */
  hello(client: { version: number }): Promise<EngineInfo>;
  /** Opens a Hugging Face folder. A model that is already open on that device is kept. */
  load(request: LoadRequest): Promise<LoadedModel>;
  /** Frees the model's memory. */
  unload(): Promise<void>;
  /** Answers one question, with all its variants. Resolves when they ended, also when they were cancelled. */
  reason(request: ReasonRequest): Promise<{ status: 'complete' | 'cancelled' }>;
  /** Analyses a run of the loaded model: see ../analysis/table.ts. Resolves also when it was cancelled. */
  analyse(request: AnalyseRequest): Promise<AnalysisOutcome>;
  /** What the trainer's teacher selects for a run's latents, by block: what `oracle` feeds. None where it has no helpers. */
  targets(question: RunQuestion): Promise<Float32Array[][]>;
  /** Stops a load, run or analysis between two steps. */
  cancel(id: string): Promise<void>;
  /** What a model would take in each format of its weights, from headers alone; opens nothing. */
  plan(request: Pick<LoadRequest, 'folder' | 'adapter' | 'device'>): Promise<PlannedModel>;
  /** Tries all devices, which takes seconds. */
  devices(): Promise<DeviceReport[]>;
  /** What the devices are and why one works or does not, as lines of text. */
  diagnose(): Promise<string[]>;
}

export interface EngineEvents {
  /** Progress of a load or of a run's preparation; `fraction` from 0 to 1 where it is known. */
  progress(progress: { id: string; activity: Activity; fraction?: number }): void;
  /** What a load will take; told before anything is opened. */
  planned(plan: MemoryPlan): void;
  /** An event of the run `id`. */
  event(id: string, event: ReasonEvent): void;
  /** What the analysis `id` has found so far, in the form of its result. */
  found(id: string, result: AnalysisResult<AnalysisName>): void;
  /** A line for the log. */
  log(line: { level: 'info' | 'warn' | 'error'; text: string }): void;
}

export interface EngineInfo {
  version: number;
  pid: number;
  runtime: string;
}

export interface LoadRequest {
  /** For progress and cancel. */
  id: string;
  /** Absolute path of the checkpoint's folder. */
  folder: string;
  /** Absolute path of an adapter's folder (PEFT's LoRA), applied to the model. */
  adapter?: string;
  device: DeviceChoice;
  /** CPU threads; absent: all cores. */
  threads?: number;
  /** What the weights are computed in; absent: auto. */
  weights?: WeightChoice;
  /** Folder of quantised weights, which are made on first use; absent: the user's own (../files/cacheFolder.ts). */
  weightsCache?: string;
}

/** What a model and a run of a usual size take in one format of the weights, in bytes. */
export interface FormatNeeds {
  format: WeightFormat;
  weights: number;
  /** A picture, from its pixels to its features. */
  picture: number;
  /** Keys, values and scores of the prompt. */
  prompt: number;
  /** What a run keeps of attention. */
  capture: number;
  total: number;
  /** Of a run over the smallest picture: with less it is not opened at all. */
  least: number;
  /** Why it cannot be chosen here; absent: it can. */
  refused?: string;
}

/** What a model takes in memory, and in which format it is opened for that. */
export interface MemoryPlan {
  chosen: WeightFormat;
  /** One sentence, for users: "7.6B · 8-bit · 8.1 GB of 21.0 GB free; float32 would need 29.0 GB". */
  reason: string;
  /** Bytes that can be taken. */
  free: number;
  formats: FormatNeeds[];
}

/** Whether a format fits: also only with small pictures, not at all, or nobody knows what the GPU has. */
export type Fit = 'fits' | 'small-pictures' | 'refused' | 'unknown';

export interface PlannedModel {
  name: string;
  /** Where it would run. */
  provider: Device;
  free: number;
  formats: (FormatNeeds & { fit: Fit })[];
  /** What is chosen where the user leaves it to the program; absent: nothing fits. */
  automatic?: { format: WeightFormat; reason: string };
}

export interface DeviceReport {
  device: Device;
  works: boolean;
  /** What its probe said. */
  detail: string;
}

export interface LoadedModel {
  model: TraceModel;
  device: TraceDevice;
  plan: MemoryPlan;
  /** What the checkpoint itself decodes with. */
  defaults: {
    repetitionPenalty: number;
    /** How its authors' evaluation runs it, as far as it is published. */
    released?: ReleasedSettings;
    /** What it was trained to be asked, where it says so. */
    question?: string;
  };
  /** Longest sequence, prompt and answer together. */
  maxPositions: number;
  milliseconds: number;
}

/** Settings of an evaluation; see ../model/families/family.ts. */
export interface ReleasedSettings {
  temperature?: number;
  topP?: number;
  topK?: number;
  repetitionPenalty?: number;
  maxTokens?: number;
  system?: string;
}

/** A picture as encoded bytes (PNG, JPEG, WebP …), so that remote files work as well. */
export interface ImageInput {
  name: string;
  bytes: Uint8Array;
}

/** What is fed at the latents in place of the model's own; see ../inference/intervention.ts. */
export type LatentIntervention = LatentReplacement & {
  /** Absent: all latents of the run. */
  scope?: InterventionScope;
};

type LatentReplacement =
  | { kind: Extract<InterventionKind, 'zero' | 'dummy' | 'markers' | 'none'> }
  /** `sample` tells the samples of an evaluation, or several draws, apart, so that each gets noise of its own. */
  | { kind: 'noise'; sample: number }
  /** `latents`: whose mean is fed; the run's own, where it is to be "the mean of the run". */
  | { kind: 'mean'; latents: Float32Array[] }
  /** `latents`: another run's, in order. */
  | { kind: 'swap'; latents: Float32Array[] }
  /** `blocks`: the run's own latents. They change places within the scope. */
  | { kind: 'shuffle'; sample: number; blocks: Float32Array[][] }
  /** `blocks`: what the teacher selects for each, most similar first; pads beyond stay pads. */
  | { kind: 'oracle'; blocks: Float32Array[][] };

export interface ReasonRequest {
  /** Also the id of the trace. */
  id: string;
  /**
   * Absolute path of the file that takes the run's arrays; there must be none. An event that refers to an array is
   * sent when the array is in the file.
   */
  arrays: string;
  question: string;
  images: ImageInput[];
  helpers: ImageInput[];
  /** reference: helper images are compared with latents; prompt: the model sees them, after the images. */
  helperMode: 'reference' | 'prompt';
  /** Absent: the chat template's own. */
  system?: string;
  /**
   * first: pictures, then the text; last: the text, then pictures; placeholder: at each `<image>` of the question; auto: as
   * the authors of the model ask.
   */
  placement: 'auto' | 'first' | 'last' | 'placeholder';
  /** A smaller picture is enlarged to so many pixels; absent: the checkpoint's own bound. */
  minPixels?: number;
  /** A larger picture is reduced to so many pixels; absent: the checkpoint's own bound. */
  maxPixels?: number;
  latents: 'forced' | 'free';
  /** What is changed of the model's latent protocol: rules by the names of ../model/protocol.ts, which the engine checks. */
  protocol?: Record<string, unknown>;
  /** Absent: the latents are the model's own. */
  intervention?: LatentIntervention;
  /** 0 is greedy. */
  temperature: number;
  topP: number;
  /** Draws among so many of the likeliest tokens; absent: as the checkpoint's own file says. */
  topK?: number;
  /** Absent: the checkpoint's own. */
  repetitionPenalty?: number;
  seed: number;
  maxTokens: number;
  /** Index of a new token → id to put there. */
  force: Record<number, number>;
  /** Absent: it begins with its prompt. With it, `arrays` is there and holds what is referred to. */
  branch?: BranchStart;
  /** More runs of the same, which go through the model together with this one; absent: none. */
  variants?: ReasonVariant[];
}

/** A run that differs from another in what is fed at its latents. Its events come under its own id. */
export interface ReasonVariant {
  id: string;
  /** As of the request. */
  arrays: string;
  intervention?: LatentIntervention;
}

/** Where a run goes on that another had begun, and with what that run leaves to it. */
export interface BranchStart {
  /** As the trace keeps it; `words.ids` are found by the engine. */
  record: TraceBranch;
  /** Who made the parent: the loaded model must be the same. */
  model: { name: string; fingerprint: string; sha256?: string | undefined };
  /** The parent's; its pictures' arrays, and those of the past, are in the run's file already. */
  prompt: TracePrompt;
  pictures: TracePicture[];
  past: TracePast;
  /** Of the past's latents, in order. */
  vectors: Float32Array[];
  /** Blocks of the past that were left without their latents. */
  emptied: number[];
  /** How many numbers of the seed the parent had drawn. */
  draws: number;
}

/** What a question is asked with unless the user says otherwise. */
export const REASON_DEFAULTS = {
  helperMode: 'reference',
  placement: 'auto',
  latents: 'forced',
  temperature: 0,
  topP: 1,
  seed: 0,
  maxTokens: 512,
  force: {},
} as const satisfies Partial<ReasonRequest>;
