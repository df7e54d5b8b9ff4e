/** Files and lines that an error names: "map.png, samples.jsonl:3". */

import { stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { UserError } from '../../base/errors.ts';
import { requireTrust } from '../trust.ts';
import { placesIn, type Place } from './placesIn.ts';

/**
 * Opens what an error is about, at its line if it names one.
 * @param where as in a UserError's details; it may come from the files of a stranger's run
 * @throws TrustError
 */
export async function openPlace(where: string): Promise<void> {
  requireTrust('Files that a run names are opened in trusted workspaces only');
  const found = await existing(placesIn(where));
  if (found === undefined) {
    throw new UserError({ problem: 'The file that the error is about is not there', where });
  }
  const { file, line } = found;
  const uri = vscode.Uri.file(file);
  if (line === undefined) {
    await vscode.commands.executeCommand('vscode.open', uri);
    return;
  }
  const at = new vscode.Position(line - 1, 0);
  const document = await vscode.workspace.openTextDocument(uri);
  await vscode.window.showTextDocument(document, { selection: new vscode.Range(at, at), preview: false });
}

async function existing(places: readonly Place[]): Promise<Place | undefined> {
  for (const place of places) {
    const isThere = await stat(place.file).then(
      (entry) => entry.isFile(),
      () => false,
    );
    if (isThere) return place;
  }
  return undefined;
}
