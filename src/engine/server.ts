/** The engine's side of the protocol: one model, one run at a time, cancel between steps. */

import type { OnActivity } from '../base/activity.ts';
import { homedir, totalmem } from 'node:os';
import { CancelledError, UserError } from '../base/errors.ts';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { largestWeight } from '../inference/deviceLimits.ts';
import { parametersLabel, planTable } from '../inference/plan.ts';
import { PromptMemory } from '../inference/promptMemory.ts';
import { runtimeVersion } from '../ort/session.ts';
import { deviceLabel } from '../tensor/device.ts';
import { GpuLostError } from '../process/gpuLost.ts';
import { availableMemory, inBytes, outOfMemory } from '../process/memory.ts';
import {
  ENGINE_PROTOCOL_VERSION,
  type DeviceReport,
  type PlannedModel,
  type EngineEvents,
  type EngineInfo,
  type EngineMethods,
  type LoadedModel,
  type LoadRequest,
  type ReasonRequest,
} from '../protocol/engine.ts';
import type { AnalyseRequest, AnalysisOutcome, RunQuestion } from '../protocol/analyse.ts';
import { analyse } from './analyse.ts';
import { prepareRun, type AnalyseContext } from './analyses/modelRun.ts';
import { teacherTargets } from './analyses/oracle.ts';
import { describeDevices, tryDevices } from './device.ts';
import { modifiedOf, openModel, planModel, type LoadSettings, type OpenedModel } from './load.ts';
import { PictureMemory } from './pictureMemory.ts';
import { reason, type VariantRun } from './reason.ts';
import type { RunMemory, RunOutput } from './runContext.ts';
import type { ReasonEvent } from '../trace/events.ts';
import { ContainerWriter } from '../traceFile/container.ts';

interface Loaded extends OpenedModel {
  request: LoadRequest;
  memory: RunMemory;
}

export interface EngineSettings extends LoadSettings {
  /** Of this program. */
  version: string;
  /** Ends the process, which is of no use any more; what was sent arrives before. Absent: the error is thrown. */
  end?: (error: Error) => Promise<never>;
}

export class EngineServer implements EngineMethods {
  private readonly client: EngineEvents;
  private readonly settings: EngineSettings;
  private loaded: Loaded | undefined;
  private readonly cancelled = new Set<string>();
  private busy: string | undefined;

  constructor(client: EngineEvents, settings: EngineSettings) {
    this.client = client;
    this.settings = settings;
  }

  async hello(): Promise<EngineInfo> {
    return { version: ENGINE_PROTOCOL_VERSION, pid: process.pid, runtime: runtimeVersion() };
  }

  async load(request: LoadRequest): Promise<LoadedModel> {
    return this.exclusively(request.id, 'load a model', async () => {
      if (await this.isCurrent(request)) return this.loaded!.reply;
      await this.release();
      const opened = await openModel(request, this.settings, {
        log: (level, text) => this.client.log({ level, text }),
        planned: (plan) => this.client.planned(plan),
        progress: this.progressOf(request.id),
        pause: () => this.pause(request.id),
        isCancelled: () => this.cancelled.has(request.id),
      });
      const memory = { prompt: new PromptMemory(), pictures: new PictureMemory() };
      this.loaded = { ...opened, request, memory };
      return opened.reply;
    });
  }

  async unload(): Promise<void> {
    await this.exclusively('unload', 'unload the model', () => this.release());
  }

  async reason(request: ReasonRequest): Promise<{ status: 'complete' | 'cancelled' }> {
    return this.exclusively(request.id, 'start a run', async () => {
      if (this.loaded === undefined) throw new UserError({ problem: 'No model is loaded' });
      const { model, reply, memory } = this.loaded;
      const outputs = new Outputs((id, event) => this.client.event(id, event));
      try {
        const { emit, sink } = await outputs.open(request);
        const variants: VariantRun[] = [];
        for (const variant of request.variants ?? [])
          variants.push({ ...variant, ...(await outputs.open(variant)) });
        const context = {
          model,
          memory,
          describe: { model: reply.model, device: reply.device },
          version: this.settings.version,
          emit,
          sink,
          progress: this.progressOf(request.id),
          pause: () => this.pause(request.id),
        };
        await reason(context, request, variants);
        return { status: 'complete' };
      } catch (error) {
        if (!(error instanceof CancelledError)) throw error;
        outputs.cancel();
        return { status: 'cancelled' };
      } finally {
        await outputs.close();
      }
    });
  }

  async analyse(request: AnalyseRequest): Promise<AnalysisOutcome> {
    return this.exclusively(request.id, 'start an analysis', async () =>
      analyse(this.contextOf(request.id), request),
    );
  }

  async targets(question: RunQuestion): Promise<Float32Array[][]> {
    return this.exclusively(question.id, 'start an analysis', async () =>
      teacherTargets(await prepareRun(this.contextOf(question.id), question, true)),
    );
  }

  async cancel(id: string): Promise<void> {
    this.cancelled.add(id);
  }

  async plan(request: Pick<LoadRequest, 'folder' | 'adapter' | 'device'>): Promise<PlannedModel> {
    return planModel(request, this.settings);
  }

  async devices(): Promise<DeviceReport[]> {
    return (await tryDevices()).map((report) => ({ ...report, detail: withoutHome(report.detail) }));
  }

  async diagnose(): Promise<string[]> {
    const memory = `${inBytes(availableMemory())} of ${inBytes(totalmem())} main memory can be taken`;
    const lines = [
      `Node ${process.version} on ${process.platform} ${process.arch}, ${runtimeVersion()}`,
      `${memory}; the runtime does not say what a GPU has`,
      ...(await describeDevices()),
      ...(this.loaded === undefined ? ['No model is loaded.'] : describeLoaded(this.loaded)),
    ];
    return lines.map(withoutHome);
  }

  /** @throws UserError if no model is loaded */
  private contextOf(id: string): AnalyseContext {
    if (this.loaded === undefined) throw new UserError({ problem: 'No model is loaded' });
    const { model, reply } = this.loaded;
    return {
      model,
      identity: reply.model,
      found: (result) => this.client.found(id, result),
      progress: this.progressOf(id),
      pause: () => this.pause(id),
    };
  }

  private async isCurrent(request: LoadRequest): Promise<boolean> {
    if (this.loaded === undefined || !isSame(this.loaded.request, request)) return false;
    const { folder, adapter } = request;
    const checkpoint = await openCheckpoint(folder, { adapter });
    const { fingerprint } = this.loaded.reply.model;
    return checkpoint.fingerprint === fingerprint && (await modifiedOf(checkpoint)) === this.loaded.modified;
  }

  private async release(): Promise<void> {
    const loaded = this.loaded;
    this.loaded = undefined;
    loaded?.memory.prompt.forget();
    await loaded?.model.release();
  }

  private progressOf(id: string): OnActivity {
    return (activity, fraction) =>
      this.client.progress({ id, activity, ...(fraction !== undefined && { fraction }) });
  }

  /** `run` blocks the event loop, so messages are read only here. */
  private async pause(id: string): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.cancelled.has(id)) throw new CancelledError();
  }

  private async exclusively<T>(id: string, what: string, work: () => Promise<T>): Promise<T> {
    if (this.busy !== undefined) {
      throw new UserError({
        problem: `The engine cannot ${what} now`,
        found: 'another run, load or analysis in progress',
        remedy: 'Wait until it has ended, or stop it.',
      });
    }
    this.busy = id;
    try {
      return await work();
    } catch (error) {
      if (error instanceof GpuLostError) await this.settings.end?.(error);
      throw outOfMemory(error) ?? error;
    } finally {
      this.busy = undefined;
      this.cancelled.delete(id);
    }
  }
}

/** What a driver or the system's loader says may name its files. */
function withoutHome(text: string): string {
  return text.replaceAll(homedir(), '~');
}

/** Where the findings of a request's runs go: events to the client, arrays into a file of each. */
class Outputs {
  private readonly send: EngineEvents['event'];
  private readonly running = new Set<string>();
  private readonly files: ContainerWriter[] = [];

  constructor(send: EngineEvents['event']) {
    this.send = send;
  }

  async open({ id, arrays, branch }: Pick<ReasonRequest, 'id' | 'arrays' | 'branch'>): Promise<RunOutput> {
    const sink = await (branch === undefined
      ? ContainerWriter.create(arrays)
      : ContainerWriter.extend(arrays));
    this.files.push(sink);
    this.running.add(id);
    const emit = (event: ReasonEvent): void => {
      if (event.type === 'done') this.running.delete(id);
      this.send(id, event);
    };
    return { emit, sink };
  }

  /** Runs that had ended by themselves stay as they are. */
  cancel(): void {
    for (const id of this.running) this.send(id, { type: 'done', status: 'cancelled' });
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close();
  }
}

/** For a report that people paste where others read it: names, sizes and plans, and no path. */
function describeLoaded({ model, reply, request }: Loaded): string[] {
  const { name, architecture, parameters, dtype, weights = 'float32' } = reply.model;
  const { provider, reason } = reply.device;
  const largest = largestWeight(model.checkpoint.config, reply.plan.chosen);
  return [
    `Loaded: ${name} (${architecture}, ${parametersLabel(parameters)} parameters, stored in ${dtype})`,
    `Device: ${deviceLabel(provider)} (${reason}); ${request.threads ?? 'all'} threads of the processor`,
    `Weights: ${weights}, chosen as ${reply.plan.reason}; the largest, ${largest.name}, takes ${inBytes(largest.bytes)} in one buffer`,
    ...planTable(reply.plan, provider),
  ];
}

/** Whether a model that was opened for the one is what the other asks for. */
function isSame(a: LoadRequest, b: LoadRequest): boolean {
  const keys = ['folder', 'adapter', 'device', 'threads', 'weights', 'weightsCache'] as const;
  return keys.every((key) => a[key] === b[key]);
}
