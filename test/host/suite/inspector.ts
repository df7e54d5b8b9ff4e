/** What the suites share: the extension's API, files of the test workspace, runs without dialogs. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { InspectorApi, ReasonOptions, RunResult } from '../../../src/extension/api.ts';
import type { OpenTrace } from '../../../src/traceFile/openTrace.ts';
import { oneFile } from '../../fixtures/reopened.ts';
import { eventually } from './claims.ts';

export const EXTENSION_ID = 'ilvr-inspector.ilvr-inspector';
/** A run of the bundled model, its loading included. */
export const RUN_MS = 120_000;

export function extension(): vscode.Extension<InspectorApi> {
  const found = vscode.extensions.getExtension<InspectorApi>(EXTENSION_ID);
  assert.ok(found, `${EXTENSION_ID} is not installed`);
  return found;
}

export async function inspector(): Promise<InspectorApi> {
  return extension().activate();
}

/** A file of the test workspace, which is a copy of examples/. */
export function file(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, 'no workspace folder is open');
  return vscode.Uri.joinPath(folder.uri, name);
}

export async function writeText(name: string, text: string): Promise<vscode.Uri> {
  const uri = file(name);
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  return uri;
}

/** Folder of a bundled model. */
export function bundled(name: string): string {
  return join(extension().extensionPath, 'models', name);
}

export async function writeTraceFile(name: string, run: OpenTrace): Promise<vscode.Uri> {
  return writeText(name, await oneFile(run));
}

/** Runs `ilvr.reason` as code does: no dialogs, CPU, greedy. */
export async function reason(image: vscode.Uri, options: ReasonOptions = {}): Promise<RunResult> {
  return vscode.commands.executeCommand<RunResult>('ilvr.reason', image, {
    ...options,
    settings: { device: 'cpu', ...options.settings },
  });
}

/** Starts a run and waits for its first latent; for tests that interfere with it. */
export async function reasonUntilFirstLatent(
  image: vscode.Uri,
  options: ReasonOptions = {},
): Promise<{ runId: string; done: Promise<RunResult> }> {
  const api = await inspector();
  let runId: string | undefined;
  const listener = api.onEvent((happened) => {
    if (happened.event.type === 'latent') runId ??= happened.runId;
  });
  const done = reason(image, options);
  // Looked at by the caller; until then a rejection is not unhandled.
  done.catch(() => undefined);
  try {
    const found = await Promise.race([
      eventually('the first latent', () => runId, RUN_MS),
      done.then(() => runId),
    ]);
    assert.ok(found, 'the run ended without a latent');
    return { runId: found, done };
  } finally {
    listener.dispose();
  }
}

/**
 * Options of a run that lasts for seconds: the model's own answer, and where it would end, one word
 * put there again and again.
 */
export async function longRun(image: vscode.Uri): Promise<ReasonOptions> {
  const question = 'Find a safe path to the goal.';
  const { runId } = await reason(image, { question });
  const { tokens } = await (await inspector()).traceOf(runId);
  const end = tokens.findIndex(({ kind }) => kind === 'end');
  const word = tokens.find(({ kind }) => kind === 'text');
  assert.ok(end > 0 && word, 'the answer has no end to put off');
  const force = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [end + i, word.id]));
  return { question, settings: { force, maxTokens: 1200 } };
}

/** Opens a trace as text and gives its document. */
export async function openText(target: string | vscode.Uri): Promise<vscode.TextDocument> {
  await vscode.commands.executeCommand('ilvr.openAsText', target);
  const document = vscode.window.activeTextEditor?.document;
  assert.equal(document?.uri.scheme, 'ilvr-trace');
  return document;
}

/** Markdown of all hovers at a position. */
export async function hoverAt(document: vscode.TextDocument, position: vscode.Position): Promise<string[]> {
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
    'vscode.executeHoverProvider',
    document.uri,
    position,
  );
  return hovers.flatMap(({ contents }) =>
    contents.map((part) => (typeof part === 'string' ? part : part.value)),
  );
}

/** The line of a document that begins a block, counted from 0. */
export function blockLine(document: vscode.TextDocument, block: number): number {
  const lines = document.getText().split('\n');
  const line = lines.findIndex((text) => text.includes(`◆ block ${block + 1}`));
  assert.ok(line >= 0, `no block ${block + 1} in:\n${document.getText()}`);
  return line;
}

/** Answers the list that a command shows by a key's command, again until the command has ended. */
export async function pressUntilDone(
  done: PromiseLike<unknown>,
  key: string,
  timeoutMs?: number,
): Promise<void> {
  let isDone = false;
  void Promise.resolve(done).finally(() => (isDone = true));
  const press = async (): Promise<boolean> => {
    await vscode.commands.executeCommand(key);
    return isDone;
  };
  await eventually('the command to end', press, timeoutMs);
}
