/** Saves what a page has drawn, where the reader says. */

import * as vscode from 'vscode';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { plainText } from '../../base/plainText.ts';
import { replaceFile } from '../../files/replaceFile.ts';

/** Of a figure: many times what a large picture takes. */
const MOST_BYTES = 2 ** 27;
const MAX_NAME = 80;

const request = z.strictObject({
  name: z.string().max(1000),
  kind: z.enum(['svg', 'png', 'csv']),
  bytes: z.instanceof(Uint8Array).refine(({ length }) => length <= MOST_BYTES, 'too large'),
});

/** @throws UserError if it is no figure, or the disk refuses */
export async function saveFigure(asked: unknown): Promise<void> {
  const parsed = request.safeParse(asked);
  if (!parsed.success) throw new UserError({ problem: 'The page gave no figure to save' });
  const { name, kind, bytes } = parsed.data;
  const safe =
    plainText(name, MAX_NAME)
      .replaceAll(/[/\\:*?"<>|]/g, '_')
      .replace(/^[.\s]+/, '') || 'figure';
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Save figure'),
    filters: { [kind.toUpperCase()]: [kind] },
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, `${safe}.${kind}`) }),
  });
  if (file === undefined) return;
  if (file.scheme === 'file') await replaceFile(file.fsPath, bytes);
  else await vscode.workspace.fs.writeFile(file, bytes);
}
