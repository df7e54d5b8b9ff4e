/**
 * "Reason about image": from the palette, a menu, or code. Finds the pictures, asks what is missing,
 * and starts the run.
 */

import * as vscode from 'vscode';
import { CancelledError, UserError } from '../../base/errors.ts';
import { oneLine } from '../../base/plainText.ts';
import { bundledModelOf } from '../../checkpoint/bundled.ts';
import { bundledReference } from '../../files/bundledModels.ts';
import type { ReasonOptions } from '../api.ts';
import type { BranchCommand, BranchServices } from './branchCommand.ts';
import { chooseImages, imageInEditor, imagesOf, readImages } from './imageFiles.ts';
import { askHelpers, askQuestion, checkQuestion, rememberQuestion } from './questionDialog.ts';
import type { RunRequest, RunResult } from './controller.ts';
import { RUNS_NEED_TRUST, type Runs } from './runs.ts';
import type { RunSessions, WhenBusy } from './session.ts';
import { findSample, type ImageSample } from './sampleLookup.ts';
import { defaultQuestion, modelFolder, readRunSettings, type RunSettings } from '../settings.ts';
import { baseName, type TraceLibrary } from '../trace/library.ts';
import type { TracePanel } from '../trace/panel.ts';
import { requireTrust } from '../trust.ts';
import { isOptions } from '../report.ts';
import { askText } from '../window.ts';

export class ReasonCommand {
  private readonly context: vscode.ExtensionContext;
  private readonly sessions: RunSessions;
  private readonly runs: Runs;
  private readonly library: TraceLibrary;
  private readonly branches: BranchCommand;

  constructor({ context, sessions, runs, library }: BranchServices, branches: BranchCommand) {
    this.branches = branches;
    this.context = context;
    this.sessions = sessions;
    this.runs = runs;
    this.library = library;
  }

  /**
   * @param target a picture, or several from code
   * @param more options from code; the selected files from the explorer's menu
   * @returns undefined when a dialog was left
   */
  async reason(target?: unknown, more?: unknown): Promise<RunResult | undefined> {
    requireTrust(RUNS_NEED_TRUST);
    const uris = urisIn(target, more);
    if (isOptions(more)) {
      const options: ReasonOptions = more;
      return this.reasonWithoutDialogs(uris, options, options.whenBusy ?? 'wait');
    }
    const images = uris.length > 0 ? uris : await pickImages();
    const [first] = images ?? [];
    if (images === undefined || first === undefined) return undefined;
    // Bad settings are told before any question is asked.
    readRunSettings(this.context);
    const sample = await findSample(first);
    const question = await askQuestion(this.context.globalState, sample, images.map(baseName));
    if (question === undefined) return undefined;
    const checked = checkQuestion(question);
    const helpers = await askHelpers(first, sample);
    if (helpers === undefined) return undefined;
    await rememberQuestion(this.context.globalState, checked);
    return orCancelled(this.sessions.start(await this.request(images, checked, helpers, sample, {}), 'ask'));
  }

  /**
   * Runs a panel's question again with today's settings, and with helper images added meanwhile.
   * @param edit whether to ask for the question first, with the one it had
   * @returns undefined when a dialog was left
   */
  async runAgain(panel: TracePanel, edit = false): Promise<RunResult | undefined> {
    requireTrust(RUNS_NEED_TRUST);
    const settings = readRunSettings(this.context, await this.ownSettings(panel.run));
    const request = await this.earlierRequest(panel.run);
    const question = edit ? await this.askAgain(request.question) : request.question;
    if (question === undefined) return undefined;
    const helpers = [...request.helpers, ...panel.addedHelpers.splice(0)];
    const { branch, ...whole } = request;
    // Another question has another prompt, and so nothing of the parent.
    const again = edit || branch === undefined ? whole : { ...whole, branch };
    return orCancelled(this.sessions.start({ ...again, question, helpers, settings }, 'ask', panel));
  }

  private async askAgain(before: string): Promise<string | undefined> {
    const typed = await askText(vscode.l10n.t('Run again with this question'), '', before);
    if (typed === undefined) return undefined;
    // A question of several lines is one line there, and stays what it was if it was not edited.
    const question = typed === oneLine(before) ? before : checkQuestion(typed);
    await rememberQuestion(this.context.globalState, question);
    return question;
  }

  /** All that is not given has its default. */
  async reasonWithoutDialogs(
    uris: vscode.Uri[],
    options: ReasonOptions,
    whenBusy: WhenBusy,
  ): Promise<RunResult> {
    const question = checkQuestion(options.question ?? defaultQuestion());
    const helpers = (options.helpers ?? []).map((uri) => vscode.Uri.parse(uri.toString(), true));
    const sample = uris[0] && (await findSample(uris[0]));
    const request = await this.request(uris, question, helpers, sample, options.settings ?? {});
    return this.sessions.start(request, whenBusy);
  }

  private async request(
    images: vscode.Uri[],
    question: string,
    helpers: vscode.Uri[],
    sample: ImageSample | undefined,
    overrides: NonNullable<ReasonOptions['settings']>,
  ): Promise<RunRequest> {
    if (images.length === 0) throw new UserError({ problem: 'No image was given', expected: 'at least one' });
    const settings = readRunSettings(this.context, overrides);
    return {
      question,
      images: await readImages(images),
      helpers: await readImages(helpers),
      settings,
      ...(sample && { sample }),
    };
  }

  /**
   * What a run changed of its model's latent protocol belongs to it as its question does, and wins over the setting; so does
   * the bundled model that an example is drawn for.
   */
  private async ownSettings(runId: string): Promise<Partial<RunSettings>> {
    const [protocol, isExample] = await this.ownOf(runId);
    return {
      ...(protocol !== undefined && { protocol }),
      ...(isExample && { model: bundledReference('worlds') }),
    };
  }

  /** Its rules, and whether it is of the model of examples; of a kept run its trace tells. */
  private async ownOf(runId: string): Promise<[RunSettings['protocol'], boolean]> {
    const run = this.runs.get(runId);
    if (run !== undefined) {
      const { protocol, model } = run.request.settings;
      return [protocol, model === modelFolder(this.context, bundledReference('worlds'))];
    }
    const { settings, model } = await this.library.trace({ run: runId });
    const bundled = await bundledModelOf(this.context.asAbsolutePath('models'), model.sha256);
    return [settings.protocol, bundled === 'worlds'];
  }

  private async earlierRequest(runId: string): Promise<Omit<RunRequest, 'settings'>> {
    const run = this.runs.get(runId);
    if (run !== undefined) return run.request;
    const sample = await this.runs.sampleOf(runId);
    return this.library.use({ run: runId }, async (open) => ({
      question: open.trace.question,
      ...(await imagesOf(open)),
      ...this.branches.again(runId, open),
      ...(sample && { sample }),
    }));
  }
}

/** The picture in the editor, without a question; others are chosen from the explorer's menu or from here. */
async function pickImages(): Promise<vscode.Uri[] | undefined> {
  const open = imageInEditor();
  return open === undefined ? chooseImages(vscode.l10n.t('Reason about which image?')) : [open];
}

/** The explorer passes the clicked file and all selected ones. */
function urisIn(target: unknown, more: unknown): vscode.Uri[] {
  const selected = Array.isArray(more) && more.length > 0 ? more : Array.isArray(target) ? target : [target];
  return selected.filter((value) => value instanceof vscode.Uri);
}

/** From a menu, a run that was cancelled in a dialog is nothing to report. */
async function orCancelled(run: Promise<RunResult>): Promise<RunResult | undefined> {
  try {
    return await run;
  } catch (error) {
    if (error instanceof CancelledError) return undefined;
    throw error;
  }
}
