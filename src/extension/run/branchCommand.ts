/**
 * "From here on, with …": a run goes on from what is looked at, with something changed that is asked for. The trace of a
 * file is kept as a run for that, so that the branch has a parent.
 */

import * as vscode from 'vscode';
import * as z from 'zod';
import { CancelledError, unreachable, UserError } from '../../base/errors.ts';
import { branchRequest, changesOf, checkBranch, type BranchChanges } from '../../client/branchRequest.ts';
import { blocksOf, hasHelpers, targetsOf, vectorsOf } from '../../client/latents.ts';
import type { PanelSelection } from '../../protocol/panel.ts';
import type { Trace } from '../../trace/schema.ts';
import { copyBeginning } from '../../traceFile/container.ts';
import { requireTwo } from '../../traceFile/identity.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import { readRunSettings } from '../settings.ts';
import { nameOf, type TraceLibrary, type TraceRef } from '../trace/library.ts';
import { chooseTrace } from '../trace/openCommand.ts';
import type { TracePanel } from '../trace/panel.ts';
import type { TracePanels } from '../trace/panels.ts';
import { requireTrust } from '../trust.ts';
import { askText, choose } from '../window.ts';
import type { RunRequest, RunResult } from './controller.ts';
import { imagesOf } from './imageFiles.ts';
import { RUNS_NEED_TRUST, type Runs } from './runs.ts';
import type { RunSessions } from './session.ts';
import type { RunStore } from './store.ts';

/** Second argument of `ilvr.branch` when it is called from code, after a run's id or a file: no dialog is shown. */
const branchOptions = z.strictObject({
  /** Index of the token that is decided anew. */
  at: z.int().min(0),
  text: z.string().optional(),
  mask: z.strictObject({ picture: z.string(), patches: z.array(z.int()) }).optional(),
  latents: z
    .enum(['own', 'zero', 'noise', 'mean', 'shuffle', 'oracle', 'dummy', 'markers', 'none'])
    .optional(),
  temperature: z.number().min(0).optional(),
  seed: z.int().optional(),
});

export interface BranchServices {
  context: vscode.ExtensionContext;
  sessions: RunSessions;
  runs: Runs;
  runStore: RunStore;
  library: TraceLibrary;
  panels: TracePanels;
}

export class BranchCommand {
  private readonly services: BranchServices;

  constructor(services: BranchServices) {
    this.services = services;
  }

  /** From code. @throws UserError if it cannot be branched there */
  async fromCode(ref: TraceRef, options: unknown): Promise<RunResult> {
    const { at, latents, ...rest } = branchOptions.parse(options);
    const intervention = latents && (await this.interventionOf(latents, ref));
    const changes = { ...rest, ...(intervention && { intervention }) } as BranchChanges;
    return this.start(await this.keptRun(ref), at, changes, 'wait');
  }

  /**
   * Asks what is to be other from what is looked at on, and shows the branch in the run's panel.
   * @returns undefined when a dialog was left
   */
  async fromPage(ref: TraceRef, lookedAt: PanelSelection = {}): Promise<RunResult | undefined> {
    requireTrust(RUNS_NEED_TRUST);
    const { library, panels } = this.services;
    const trace = await library.trace(ref);
    const at = placeOf(trace, lookedAt);
    const changes = await this.ask(trace, ref, at, lookedAt);
    if (changes === undefined) return undefined;
    const run = await this.keptRun(ref);
    try {
      return await this.start(run, at, changes, 'ask', panels.open(run, nameOf(ref, trace)));
    } catch (error) {
      if (error instanceof CancelledError) return undefined;
      throw error;
    }
  }

  /** The request of a branch that is kept, to run it once more: from the past that its own trace has. */
  again(run: string, { trace }: OpenTrace): Pick<RunRequest, 'branch'> {
    const { branch } = trace;
    if (branch === undefined) return {};
    return { branch: this.build({ run }, branch.at, changesOf(trace), trace, branch.parent) };
  }

  /** The run, or the one as which a file's trace is kept. */
  private async keptRun(ref: TraceRef): Promise<string> {
    if ('run' in ref) return ref.run;
    requireTrust(RUNS_NEED_TRUST);
    const { library, runStore } = this.services;
    return library.use(ref, (open) => runStore.keep(open, nameOf(ref)));
  }

  private async start(
    run: string,
    at: number,
    changes: BranchChanges,
    whenBusy: 'ask' | 'wait',
    panel?: TracePanel,
  ): Promise<RunResult> {
    const { context, sessions, runs, library } = this.services;
    requireTrust(RUNS_NEED_TRUST);
    const earlier = runs.get(run)?.request;
    const sample = await runs.sampleOf(run);
    const request = await library.use({ run }, async (open): Promise<RunRequest> => {
      const { images, helpers } = earlier ?? (await imagesOf(open));
      const settings = earlier?.settings ?? readRunSettings(context);
      checkBranch(open.trace, at, changes);
      const branch = this.build({ run }, at, changes, open.trace, run);
      const { question } = open.trace;
      return {
        question,
        images,
        helpers,
        settings,
        branch,
        ...(sample && { sample }),
      };
    });
    return sessions.start(request, whenBusy, panel);
  }

  private build(
    ref: TraceRef,
    at: number,
    changes: BranchChanges,
    { model }: Trace,
    parent: string,
  ): NonNullable<RunRequest['branch']> {
    const { library } = this.services;
    return {
      model,
      build: (arrays, pictures, engine) =>
        library.use(ref, async ({ trace, container }) => {
          const teacher = (): Promise<Float32Array[][]> => targetsOf(engine, { trace, container });
          const point = { trace, container, at, parent, teacher };
          const { request, bytes } = await branchRequest(point, changes, pictures);
          await copyBeginning(container, bytes, arrays);
          return request;
        }),
    };
  }

  private async ask(
    trace: Trace,
    ref: TraceRef,
    at: number,
    { picture, patches }: PanelSelection,
  ): Promise<BranchChanges | undefined> {
    const { name, range } = trace.pictures.find(({ id }) => id === picture) ?? {};
    const isInBlock = trace.blocks.some(
      ({ startToken, latents }) => startToken < at && at <= startToken + latents,
    );
    const kinds: { label: string; icon: string; detail?: string; change: Change }[] = [
      ...(isInBlock
        ? []
        : [{ label: vscode.l10n.t('Other words…'), icon: 'edit', change: 'words' as const }]),
      ...(patches !== undefined && range !== undefined
        ? [
            {
              label: vscode.l10n.t('The region of {0} hidden: {1} patches', name ?? '', patches.length),
              icon: 'eye-closed',
              change: 'mask' as const,
            },
          ]
        : []),
      { label: vscode.l10n.t('Other latents…'), icon: 'symbol-array', change: 'latents' },
      { label: vscode.l10n.t('Another temperature…'), icon: 'flame', change: 'temperature' },
      { label: vscode.l10n.t('Another seed…'), icon: 'refresh', change: 'seed' },
      { label: vscode.l10n.t('Nothing changed'), icon: 'debug-continue', change: 'nothing' },
    ];
    const picked = await choose(kinds, {
      title: vscode.l10n.t('From token {0} on, with …', at + 1),
      placeholder:
        patches === undefined
          ? vscode.l10n.t('Drag a region on the picture first to hide it from what follows')
          : '',
    });
    switch (picked?.change) {
      case undefined:
        return undefined;
      case 'words':
        return textChange(trace, at);
      case 'mask':
        return { mask: { picture: picture!, patches: [...patches!] } };
      case 'latents':
        return this.latentsChange(ref, trace);
      case 'temperature':
        return numberChange('temperature', trace.settings.temperature);
      case 'seed':
        return numberChange('seed', trace.settings.seed + 1);
      case 'nothing':
        return {};
    }
  }

  private async latentsChange(own: TraceRef, trace: Trace): Promise<BranchChanges | undefined> {
    const kinds: { label: string; kind: LatentKind }[] = [
      { label: vscode.l10n.t('Zeroed'), kind: 'zero' },
      { label: vscode.l10n.t('Noise of equal norm'), kind: 'noise' },
      { label: vscode.l10n.t('The mean of the run’s latents'), kind: 'mean' },
      { label: vscode.l10n.t('Another run’s…'), kind: 'swap' },
      { label: vscode.l10n.t('The run’s own in another order'), kind: 'shuffle' },
      ...(hasHelpers(trace)
        ? [{ label: vscode.l10n.t('The teacher’s selection'), kind: 'oracle' as const }]
        : []),
      { label: vscode.l10n.t('The pad’s embedding'), kind: 'dummy' },
      { label: vscode.l10n.t('None between the markers'), kind: 'markers' },
      { label: vscode.l10n.t('No block at all'), kind: 'none' },
      { label: vscode.l10n.t('The model’s own'), kind: 'own' },
    ];
    const kind = (await choose(kinds, { title: vscode.l10n.t('Which latents from there on?') }))?.kind;
    if (kind === undefined) return undefined;
    if (kind !== 'swap') return { intervention: await this.interventionOf(kind, own) };
    const { library, runStore } = this.services;
    const ref = await chooseTrace(runStore, vscode.l10n.t('The latents of which run?'));
    if (ref === undefined) return undefined;
    const latents = await library.use(ref, async (run) => {
      await requireTwo(trace, run.trace);
      return givenBy(run);
    });
    return { intervention: { kind, latents } };
  }

  /** @param own the run that is branched off */
  private async interventionOf(
    kind: OwnKind,
    own: TraceRef,
  ): Promise<NonNullable<BranchChanges['intervention']>> {
    const { library } = this.services;
    switch (kind) {
      case 'own':
      case 'oracle':
        return kind;
      case 'noise':
        return { kind, sample: 0 };
      case 'mean':
        return { kind, latents: await library.use(own, async (run) => givenBy(run)) };
      case 'shuffle':
        return { kind, sample: 0, blocks: await library.use(own, async (run) => blocksOf(run)) };
      case 'zero':
      case 'dummy':
      case 'markers':
      case 'none':
        return { kind };
      default:
        return unreachable(kind);
    }
  }
}

type Change = 'words' | 'mask' | 'latents' | 'temperature' | 'seed' | 'nothing';
/** What is made of the run itself, or of nothing. */
type OwnKind = NonNullable<z.output<typeof branchOptions>['latents']>;
type LatentKind = OwnKind | 'swap';

async function givenBy(given: OpenTrace): Promise<Float32Array[]> {
  const vectors = await vectorsOf(given);
  if (vectors.length > 0) return vectors;
  throw new UserError({ problem: 'This run has no latents to give', remedy: 'Choose another one.' });
}

/** A word that is selected; a latent, of which the first means its whole block; else the end. */
function placeOf({ tokens, latents, blocks }: Trace, { token, latent }: PanelSelection): number {
  if (token !== undefined) return token;
  const looked = latents[latent ?? -1];
  if (looked === undefined) return tokens.length;
  return looked.index === 0 ? (blocks[looked.block]?.startToken ?? looked.token) : looked.token;
}

/** The rest of the line is offered. */
async function textChange({ tokens }: Trace, at: number): Promise<BranchChanges | undefined> {
  let end = at;
  while (tokens[end]?.kind === 'text' && !tokens[end]!.text.includes('\n')) end++;
  const isLine = tokens[end]?.kind === 'text';
  const before = tokens.slice(at, isLine ? end + 1 : end).map(({ text }) => text);
  const line = before.join('');
  const typed = await askText(
    vscode.l10n.t('What is written from token {0} on', at + 1),
    vscode.l10n.t('The run goes on after these words.'),
    line.trimEnd(),
  );
  if (typed === undefined) return undefined;
  // What ends the line is not typed in a box of one line.
  return { text: typed + line.slice(line.trimEnd().length) };
}

async function numberChange(
  name: 'temperature' | 'seed',
  offered: number,
): Promise<BranchChanges | undefined> {
  const title =
    name === 'seed' ? vscode.l10n.t('Seed from there on') : vscode.l10n.t('Temperature from there on');
  const typed = await askText(title, vscode.l10n.t('A number from 0'), String(offered));
  if (typed === undefined) return undefined;
  const value = Number(typed.replace(',', '.'));
  const isValid =
    typed.trim() !== '' && value >= 0 && (name === 'temperature' || Number.isSafeInteger(value));
  if (!isValid || !Number.isFinite(value)) {
    throw new UserError({ problem: `This is no ${name}`, expected: 'a number from 0', found: typed });
  }
  return name === 'seed' ? { seed: value } : { temperature: value };
}
