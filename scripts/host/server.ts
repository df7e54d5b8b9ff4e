/** Starts VS Code's server on the loopback interface, with its settings and extensions in a data folder. */

import { existsSync } from 'node:fs';
import { mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Host, installHost } from './install.ts';
import { type ProcessGroup, startGroup } from './processGroup.ts';
import { readManifest } from './repository.ts';

/** VS Code settings by their full names. */
export type Settings = Record<string, unknown>;

export interface ServerOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  /** The server's whole state: settings, storage, logs, extensions. */
  dataDir: string;
  /** Where installed extensions lie; `extensions` in the data folder unless told. */
  extensionsDir?: string;
  /** Folders of extensions to link in as if they were installed. */
  extensions?: string[];
  /** Needed to run tests inside the extension host; it also suppresses notifications. */
  smokeTestDriver: boolean;
  settings?: Settings;
}

export interface Server {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  url: string;
  /** Resolves when the server has ended, for whatever reason. */
  ended: Promise<void>;
  /** Ends the server and all that it started, the extension host included. */
  dispose(): Promise<void>;
}

/** A quiet window: nothing opens by itself, nothing asks, nothing calls home. */
export const quietSettings: Settings = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false,
  'security.workspace.trust.enabled': false,
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.ignoreRecommendations': true,
  'extensions.autoUpdate': false,
  'git.openRepositoryInParentFolders': 'never',
};

const startTimeoutMs = 30_000;

/** Starts a server and resolves when it answers. The caller disposes it, also when later steps fail. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const host = await installHost(console.error);
  const extensionsDir = options.extensionsDir ?? join(options.dataDir, 'extensions');
  await writeSettings(options.dataDir, options.settings);
  for (const folder of options.extensions ?? []) await linkExtension(folder, extensionsDir);

  const group = startGroup(host.node, serverArguments(host, options, extensionsDir), {
    env: serverEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    const port = await readPort(group);
    const url = `http://127.0.0.1:${port}`;
    await untilAnswering(`${url}/version`);
    const ended = new Promise<void>((done) => group.child.once('exit', () => done()));
    return { url, ended, dispose: () => group.dispose() };
  } catch (error) {
    await group.dispose();
    throw error;
  }
}

function serverArguments(host: Host, options: ServerOptions, extensionsDir: string): string[] {
  return [
    host.serverMain,
    '--host=127.0.0.1',
    `--port=${options.port ?? 0}`,
    '--without-connection-token',
    '--accept-server-license-terms',
    `--server-data-dir=${options.dataDir}`,
    `--extensions-dir=${extensionsDir}`,
    '--telemetry-level=off',
    ...(options.smokeTestDriver ? ['--enable-smoke-test-driver'] : []),
  ];
}

/**
 * Everything passes through, so that ILVR_* variables reach the extension and its engine, except what
 * belongs to the process that started us: an enclosing VS Code, or a loader meant for this script.
 */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('VSCODE_') && !name.startsWith('ELECTRON_') && name !== 'NODE_OPTIONS',
  );
  return { ...Object.fromEntries(inherited), EXTENSIONS_GALLERY: '{}' };
}

/**
 * Settings must lie there before the start; the server reads them once per window. A data folder that
 * is kept from one start to the next keeps what its user set, unless the caller asks for something.
 */
async function writeSettings(dataDir: string, settings: Settings | undefined): Promise<void> {
  const file = join(dataDir, 'data/User/settings.json');
  if (settings === undefined && existsSync(file)) return;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ ...quietSettings, ...settings }, undefined, 2));
}

/** Links `folder` in under the name that VS Code expects of an installed extension. */
async function linkExtension(folder: string, extensionsDir: string): Promise<void> {
  const { publisher, name, version } = await readManifest(folder);
  const link = join(extensionsDir, `${publisher}.${name}-${version}`);
  await mkdir(extensionsDir, { recursive: true });
  await rm(link, { force: true });
  await symlink(await realpath(folder), link);
  // An old index of installed extensions would hide a new link.
  const index = join(extensionsDir, 'extensions.json');
  if (existsSync(index)) await rm(index);
}

/** The server prints the port it took; asking it to choose avoids racing other programs for one. */
function readPort({ child }: ProcessGroup): Promise<number> {
  return new Promise((done, fail) => {
    let output = '';
    const timer = setTimeout(() => fail(startFailure('did not start in time', output)), startTimeoutMs);
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000);
      const port = /listening on (\d+)/i.exec(output)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      done(Number(port));
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', fail);
    child.once('exit', (code) => fail(startFailure(`ended with code ${code}`, output)));
  });
}

function startFailure(what: string, output: string): Error {
  return new Error(`The VS Code server ${what}. Its last output:\n${output.trim()}`);
}

async function untilAnswering(url: string): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`The VS Code server does not answer at ${url}.`);
}
