/** Claims about training: a run is started, followed, paused, stopped, gone on with; a bad config is told. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { statusOf } from '../../../src/watch/status.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import { extension, inspector, RUN_MS, writeText } from './inspector.ts';

/** More steps than anyone waits for: the claims stop it themselves. */
function config(more: object = {}): string {
  const model = join(extension().extensionPath, 'models/maze');
  const settings = { model, data: 'samples.jsonl', run: 'runs/host', steps: 5000, batch: 2, ...more };
  return JSON.stringify({ ...settings, watch: { sample: 1, every: 1 } }, null, 2);
}

function text(folder: string, name: string): string {
  const file = join(folder, name);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

const steps = (folder: string): number => text(folder, 'metrics.jsonl').split('\n').length - 1;
const state = (folder: string): string | undefined => statusOf(text(folder, 'status.json'))?.state;

async function reaches(folder: string, wanted: string): Promise<void> {
  await eventually(`a run that is ${wanted}`, () => state(folder) === wanted, RUN_MS);
}

async function moreSteps(folder: string): Promise<void> {
  const before = steps(folder);
  await eventually('another step', () => steps(folder) > before, RUN_MS);
}

function trainingPages(): vscode.Tab[] {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .filter(
      ({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith('ilvr.training'),
    );
}

export function suite(claim: DeclareClaim): void {
  claim(
    'a training run is started, watched, paused, stopped and gone on with',
    async () => {
      const file = await writeText('host.train.json', config());
      const folder = await vscode.commands.executeCommand<string>('ilvr.train', file, { device: 'cpu' });
      assert.match(folder, /runs[\\/]host$/);
      await eventually('its page', () => trainingPages().length === 1, RUN_MS);
      await moreSteps(folder);
      await eventually('a look', () => existsSync(join(folder, 'watch/sample-1-step-0.json')), RUN_MS);

      await vscode.commands.executeCommand('ilvr.pauseTraining', folder);
      await reaches(folder, 'paused');
      const paused = steps(folder);
      assert.equal(text(folder, 'latest'), `step-${paused}\n`);
      await vscode.commands.executeCommand('ilvr.resumeTraining', folder);
      await moreSteps(folder);

      await vscode.commands.executeCommand('ilvr.stopTraining', folder);
      await reaches(folder, 'stopped');
      const stopped = steps(folder);
      assert.equal(text(folder, 'latest'), `step-${stopped}\n`);

      // Its process is gone; going on needs another one, which begins where the first one ended.
      const pid = statusOf(text(folder, 'status.json'))?.pid;
      await eventually('the end of the process', () => !isThere(pid), RUN_MS);
      await vscode.commands.executeCommand('ilvr.resumeTraining', folder);
      await moreSteps(folder);
      assert.notEqual(statusOf(text(folder, 'status.json'))?.pid, pid);
      await vscode.commands.executeCommand('ilvr.stopTraining', folder);
      await reaches(folder, 'stopped');
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'a config with an unknown key is told with its line',
    async () => {
      const file = await writeText('bad.train.json', config({ learnRate: 1 }));
      const message = await vscode.commands.executeCommand('ilvr.train', file, { device: 'cpu' }).then(
        () => 'nothing was refused',
        (error: Error) => error.message,
      );
      assert.match(message, /There is no setting "learnRate": in .*bad\.train\.json:7\./);
      assert.equal((await inspector()).lastError(), message);
    },
    { timeoutMs: RUN_MS },
  );
}

function isThere(pid: number | undefined): boolean {
  try {
    process.kill(pid ?? 0, 0);
    return true;
  } catch {
    return false;
  }
}
