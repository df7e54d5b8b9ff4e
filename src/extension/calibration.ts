/** "Calibrate the tests again": what the causal tests say of the bundled models whose latents are known, computed here and kept. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { faultText } from '../base/faults.ts';
import { variantName } from '../evidence/causality.ts';
import {
  calibration,
  calibrationText,
  controlsText,
  setCalibration,
  tellsApart,
  type Calibration,
  type TestName,
} from '../evidence/calibration.ts';
import { changeName } from '../evidence/dependence.ts';
import { INTERVENTION_KINDS } from '../analysis/intervention.ts';
import { PICTURE_CHANGES } from '../analysis/pictureChange.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { ChildCommand } from './childCommand.ts';
import type { Log } from './log.ts';
import { isOptions } from './report.ts';
import { requireTrust } from './trust.ts';
import { choose, showProgress } from './window.ts';

const stored = z.strictObject({
  date: z.string().max(40),
  version: z.string().max(40),
  maps: z.int().min(1),
  versions: z.strictObject({ causality: z.int(), dependence: z.int(), faithfulness: z.int() }),
  tests: z.record(
    z.string(),
    z.strictObject({ carrying: z.number(), bypassed: z.number(), worlds: z.number() }),
  ),
});

/** Argument of `ilvr.calibrate` when it is called from code: over how many maps. */
const options = z.strictObject({ maps: z.int().min(2).max(100) });

interface Services {
  context: vscode.ExtensionContext;
  log: Log;
}

export class CalibrationCommand {
  private readonly services: Services;
  /** The one at work. */
  private running: Promise<boolean> | undefined;

  constructor(services: Services) {
    this.services = services;
  }

  /** Shows what was computed here, if anything was; the shipped figures else. */
  async restore(): Promise<void> {
    setCalibration(await readStored(this.file));
  }

  /**
   * Computes the figures anew, and lists them.
   * @param called what code has passed; what a menu passes is left out of account
   * @returns them; undefined if it was stopped
   * @throws TrustError, CommandError; UserError for options that are none
   */
  async run(called?: unknown): Promise<Calibration | undefined> {
    if (!(await this.compute(isOptions(called) ? mapsIn(called) : undefined))) return undefined;
    void this.list();
    return calibration();
  }

  /** The same without the list. @returns whether it was done */
  async compute(maps?: number): Promise<boolean> {
    requireTrust(vscode.l10n.t('Tests are calibrated in trusted workspaces only'));
    this.running ??= this.start(maps).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async start(maps: number | undefined): Promise<boolean> {
    const { context, log } = this.services;
    await makeFolder(context.globalStorageUri.fsPath);
    const title = vscode.l10n.t('ILVR: calibrating the tests on models whose latents are known …');
    const done = await showProgress(title, async (report, token) => {
      const command = new ChildCommand('calibrating', {
        cliPath: context.asAbsolutePath('dist/cli.cjs'),
        args: ['calibrate', `--out=${this.file}`, ...(maps === undefined ? [] : [`--maps=${maps}`])],
        what: 'calibration',
        next: 'Starting it again begins anew.',
        progress: (fraction) => report(`${Math.round(100 * fraction)} %`),
        log: (level, text) => log.write(level, text),
      });
      token.onCancellationRequested(() => command.stop());
      return command.ended;
    });
    if (done) await this.restore();
    return done;
  }

  private async list(): Promise<void> {
    const tests: [TestName, string][] = [
      ...INTERVENTION_KINDS.map((kind): [TestName, string] => [kind, variantName(kind)]),
      ...PICTURE_CHANGES.map((change): [TestName, string] => [
        change,
        vscode.l10n.t('picture {0}', changeName(change)),
      ]),
      ['faithfulness', vscode.l10n.t('faithfulness of a map')],
    ];
    await choose(
      tests.map(([test, label]) => ({
        label,
        description: controlsText(test),
        icon: tellsApart(test) ? 'pass' : 'circle-slash',
      })),
      {
        title: calibrationText(),
        placeholder: vscode.l10n.t('Only tests that tell the controls apart are offered'),
      },
    );
  }

  private get file(): string {
    return join(this.services.context.globalStorageUri.fsPath, 'calibration.json');
  }
}

/** @throws UserError for other options than how many maps */
function mapsIn(called: object): number {
  const parsed = options.safeParse(called);
  if (parsed.success) return parsed.data.maps;
  throw new UserError({
    problem: 'The tests cannot be calibrated so',
    expected: '{ maps: … }, a number of maps from 2 to 100',
    found: faultText(parsed.error, called),
  });
}

/** Undefined where there is none, or something else is there. */
async function readStored(file: string): Promise<Calibration | undefined> {
  try {
    return stored.safeParse(JSON.parse(await readFile(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}
