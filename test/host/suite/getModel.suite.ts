/** Claims about "Get model…", against a hub on this machine that has the bundled model. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { COMMIT, HubServer, REPOSITORY } from '../../fixtures/hubServer.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import { extension, file, inspector, reason, RUN_MS } from './inspector.ts';

const NEEDED = ['config.json', 'model.safetensors', 'tokenizer.json'];

/** A hub, and a machine on which nothing was fetched before; the extension shares this process. */
async function withHub(act: (server: HubServer, scratch: string) => Promise<void>): Promise<void> {
  const maze = join(extension().extensionPath, 'models/maze');
  const names = readdirSync(maze).filter((name) => statSync(join(maze, name)).isFile());
  const files = names.map((name) => [name, readFileSync(join(maze, name))]);
  const server = await HubServer.start(Object.fromEntries(files) as Record<string, Uint8Array>);
  const scratch = mkdtempSync(join(tmpdir(), 'ilvr-hub-'));
  const before = { ...process.env };
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE']) delete process.env[name];
  Object.assign(process.env, { HF_ENDPOINT: server.endpoint, HF_HOME: join(scratch, 'home') });
  try {
    await inspector();
    await act(server, scratch);
  } finally {
    for (const name of ['HF_ENDPOINT', 'HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE'])
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function assertWhole(server: HubServer, folder: string): void {
  for (const name of NEEDED)
    assert.ok(readFileSync(join(folder, name)).equals(Buffer.from(server.files.get(name)!)), name);
  const left = readdirSync(folder).filter((name) => /\.(part|lock)$/.test(name));
  assert.deepEqual(left, []);
}

export function suite(claim: DeclareClaim): void {
  claim(
    'a model is fetched from the hub, and runs',
    () =>
      withHub(async (server, scratch) => {
        const folder = join(scratch, 'model');
        assert.equal(await vscode.commands.executeCommand('ilvr.getModel', REPOSITORY, { folder }), folder);
        assertWhole(server, folder);
        const { status } = await reason(file('map-01.png'), { settings: { model: folder } });
        assert.equal(status, 'complete');
      }),
    { timeoutMs: RUN_MS },
  );

  claim(
    'nothing is fetched before its size was shown and agreed to',
    () =>
      withHub(async (server) => {
        const weights = (): number => server.downloads('model.safetensors').length;
        const done = vscode.commands.executeCommand<string | undefined>('ilvr.getModel', REPOSITORY);
        await eventually('the question', () => server.downloads('config.json').length > 0);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        assert.equal(weights(), 0);
        let found: string | undefined;
        void done.then((folder) => (found = folder));
        const folder = await eventually(
          'the model',
          async () => {
            await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
            return found;
          },
          RUN_MS,
        );
        assert.ok(folder.includes('globalStorage'), folder);
        assertWhole(server, folder);
        assert.equal(weights(), 1);
        rmSync(folder, { recursive: true });
      }),
    { timeoutMs: RUN_MS },
  );

  claim('a server that asks for a token is not fetched from, and nothing is left behind', () =>
    withHub(async (server, scratch) => {
      server.intercept = (_, response) => {
        response.writeHead(401).end();
        return true;
      };
      const folder = join(scratch, 'model');
      const call = vscode.commands.executeCommand('ilvr.getModel', REPOSITORY, { folder, revision: COMMIT });
      await assert.rejects(Promise.resolve(call), /known users only/);
      assert.ok(!existsSync(folder));
    }),
  );
}
