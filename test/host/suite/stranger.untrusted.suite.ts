/** Claims about a stranger's files in a workspace that is not trusted: they can be looked at, and do nothing. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { smallRun } from '../../fixtures/smallTrace.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import { extension, file, inspector, openText, reason, RUN_MS, writeTraceFile } from './inspector.ts';

/** A stranger's run folder, and the config that it names, which writes to `elsewhere` when it is run. */
async function strangersRun(): Promise<{ folder: string; elsewhere: string }> {
  const root = file('.').fsPath;
  const [folder, elsewhere] = [join(root, 'stranger/run'), join(root, 'elsewhere')];
  await mkdir(folder, { recursive: true });
  const config = join(root, 'stranger/evil.train.json');
  const model = join(extension().extensionPath, 'models/maze');
  const data = join(root, 'samples.jsonl');
  const run = { model, data, run: elsewhere, stage: 1, steps: 3, batch: 1, checkpointEvery: 1 };
  await writeFile(config, JSON.stringify(run));
  const status = { state: 'stopped', pid: 1, host: 'x', config, device: 'cpu', steps: 5, time: '2026-01-01' };
  await writeFile(join(folder, 'status.json'), JSON.stringify(status));
  await writeFile(join(folder, 'config.json'), '{"given":{},"resolved":{"steps":5}}');
  return { folder, elsewhere };
}

/** The message that a command leaves, which none of our tests' own calls throws. */
async function refusal(command: string, ...args: unknown[]): Promise<string> {
  const api = await inspector();
  const before = api.lastError();
  await vscode.commands.executeCommand(command, ...args).then(undefined, () => undefined);
  const message = api.lastError();
  assert.notEqual(message, before, `${command} was not refused`);
  return message ?? '';
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).toSorted();
}

export function suite(claim: DeclareClaim): void {
  claim('the workspace is not trusted', () => {
    assert.equal(vscode.workspace.isTrusted, false);
  });

  claim("no command starts, steers or writes into a stranger's run", async () => {
    const { folder, elsewhere } = await strangersRun();
    const before = await filesIn(folder);
    for (const name of ['resume', 'pause', 'stop']) {
      // Named, so that no message before can pass for this one.
      const copy = `${folder}/../${name}`;
      await mkdir(copy, { recursive: true });
      await writeFile(join(copy, 'status.json'), await readFile(join(folder, 'status.json')));
      await vscode.commands
        .executeCommand(`ilvr.${name}Training`, copy)
        .then(undefined, () => assert.fail('a menu’s call rejects'));
      assert.deepEqual(await filesIn(copy), ['status.json'], name);
    }
    assert.match((await inspector()).lastError() ?? '', /Training runs are started and steered in trusted/);
    await vscode.commands.executeCommand('ilvr.resumeTraining', folder);
    assert.deepEqual(await filesIn(folder), before);
    assert.ok(!existsSync(elsewhere), 'the config that the status names was run');
  });

  claim('no model is fetched', async () => {
    const folder = file('fetched').fsPath;
    assert.match(
      await refusal('ilvr.getModel', 'a/b', { folder }),
      /Models are fetched in trusted workspaces only/,
    );
    assert.ok(!existsSync(folder));
  });

  const handed = join(extension().extensionPath, '../shared/data/hostile/trust-bypass-resume');
  if (existsSync(handed)) {
    claim('the handed run is not resumed', async () => {
      const root = file('handed').fsPath;
      await cp(handed, root, { recursive: true });
      await chmod(join(root, 'run'), 0o755);
      const before = await filesIn(root);
      await vscode.commands.executeCommand('ilvr.watchTraining', vscode.Uri.file(join(root, 'run')));
      await vscode.commands.executeCommand('ilvr.resumeTraining', join(root, 'run'));
      assert.match((await inspector()).lastError() ?? '', /Training runs are started and steered in trusted/);
      assert.deepEqual(await filesIn(root), before);
    });
  }

  claim("a stranger's run is shown, and its config is not followed elsewhere", async () => {
    const { folder } = await strangersRun();
    await vscode.commands.executeCommand('ilvr.watchTraining', vscode.Uri.file(folder));
    await eventually('its page', () =>
      vscode.window.tabGroups.all
        .flatMap(({ tabs }) => tabs)
        .some(
          ({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith('ilvr.training'),
        ),
    );
    const config = vscode.Uri.file(join(folder, '../evil.train.json'));
    assert.match(
      await refusal('ilvr.watchTraining', config),
      /The folder that a config names is opened in trusted/,
    );
  });

  claim('nothing is trained or reasoned about', async () => {
    const { folder } = await strangersRun();
    const config = vscode.Uri.file(join(folder, '../evil.train.json'));
    assert.match(
      await refusal('ilvr.train', config, { device: 'cpu' }),
      /Training runs are started and steered/,
    );
    await assert.rejects(reason(file('map-01.png')), /Models run in trusted workspaces only/);
    const trace = await writeTraceFile('goes-on.ilvr.json', smallRun());
    await assert.rejects(
      async () => vscode.commands.executeCommand('ilvr.branch', trace, { at: 1 }),
      /Models run in trusted workspaces only/,
    );
    assert.deepEqual(await (await inspector()).runs(), []);
    assert.equal((await inspector()).enginePid(), undefined);
  });

  claim(
    'a trace can be read',
    async () => {
      const uri = await writeTraceFile('stranger.ilvr.json', smallRun());
      await vscode.commands.executeCommand('vscode.openWith', uri, 'ilvr.trace');
      const document = await openText(uri);
      assert.match(document.getText(), /◆ block 1 · 2 latents/);
      assert.equal((await inspector()).enginePid(), undefined);
    },
    { timeoutMs: RUN_MS },
  );
}
