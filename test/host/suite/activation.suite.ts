/** Claims about the manifest and the start of the extension. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { DeclareClaim } from './claims.ts';
import { extension, inspector } from './inspector.ts';

interface Manifest {
  contributes: {
    commands: { command: string; title: string }[];
    configuration: { properties: Record<string, unknown> }[];
  };
}

export function suite(claim: DeclareClaim): void {
  claim('the extension activates and returns its API', async () => {
    const api = await inspector();
    assert.ok(extension().isActive);
    assert.ok(Array.isArray(await api.runs()));
  });

  claim('activation alone starts no engine', async () => {
    assert.equal((await inspector()).enginePid(), undefined);
  });

  claim('every command of the manifest exists', async () => {
    const existing = new Set(await vscode.commands.getCommands(true));
    const { contributes } = extension().packageJSON as Manifest;
    for (const { command } of contributes.commands) assert.ok(existing.has(command), command);
  });

  claim('titles and settings are translated from package.nls.json', () => {
    const { contributes } = extension().packageJSON as Manifest;
    assert.ok(!JSON.stringify(contributes).includes('"%'), 'a %key% is left');
    const titles = contributes.commands.map(({ title }) => title);
    assert.ok(titles.includes('Reason about image'));
  });
}
