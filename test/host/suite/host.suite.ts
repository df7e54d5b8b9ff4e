/** Claims about the host itself: what every other suite takes for granted. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { DeclareClaim } from './claims.ts';

export function suite(claim: DeclareClaim): void {
  claim('VS Code is at least the oldest version that the extension supports', () => {
    const [major = 0, minor = 0] = vscode.version.split('.').map(Number);
    assert.ok(major > 1 || minor >= 99, `VS Code ${vscode.version} is older than 1.99`);
  });

  claim('one workspace folder is open', () => {
    assert.equal(vscode.workspace.workspaceFolders?.length, 1);
  });

  claim('environment variables that begin with ILVR_ reach the extension host', () => {
    assert.equal(process.env['ILVR_HOST_TEST'], '1');
  });
}
