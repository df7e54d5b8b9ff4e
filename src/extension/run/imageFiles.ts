/** Pictures for a run: from files, from what is open in an editor, or out of an earlier trace. */

import * as vscode from 'vscode';
import { messageOf, UserError } from '../../base/errors.ts';
import { MAX_PICTURE_BYTES, readPictureFile } from '../../files/pictureFile.ts';
import type { ImageInput } from '../../protocol/engine.ts';
import type { TracePicture } from '../../trace/schema.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import { baseName } from '../trace/library.ts';

/** View type of VS Code's own image preview. */
const IMAGE_PREVIEW = 'imagePreview.previewEditor';
/** What the menus offer; the engine itself goes by content, not by name. */
const IMAGE_ENDINGS = ['png', 'jpg', 'jpeg', 'webp', 'gif', 'bmp', 'avif', 'tif', 'tiff'];

/**
 * Reads pictures as bytes, so that remote and virtual files work too.
 * @throws UserError for a file that cannot be read, is no plain file or is too large
 */
export async function readImages(uris: readonly vscode.Uri[]): Promise<ImageInput[]> {
  return Promise.all(uris.map(readImage));
}

/** Asks for picture files; undefined when the dialog was left. */
export async function chooseImages(title: string, folder?: vscode.Uri): Promise<vscode.Uri[] | undefined> {
  return vscode.window.showOpenDialog({
    title,
    canSelectMany: true,
    openLabel: vscode.l10n.t('Choose'),
    filters: { [vscode.l10n.t('Images')]: IMAGE_ENDINGS, [vscode.l10n.t('All files')]: ['*'] },
    ...(folder && { defaultUri: folder }),
  });
}

/** The picture in the active editor, if VS Code's image preview shows one. */
export function imageInEditor(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  return input instanceof vscode.TabInputCustom && input.viewType === IMAGE_PREVIEW ? input.uri : undefined;
}

/**
 * The pictures an earlier run was asked about, for running it again after a window reload. They are
 * the upright pixels that the model saw then, whatever became of the files.
 */
export async function imagesOf(open: OpenTrace): Promise<{ images: ImageInput[]; helpers: ImageInput[] }> {
  const ofRole = async (wanted: TracePicture['role']): Promise<ImageInput[]> => {
    const pictures = open.trace.pictures.filter(({ role }) => role === wanted);
    return Promise.all(
      pictures.map(async (picture) => ({ name: picture.name, bytes: (await open.picture(picture)).png })),
    );
  };
  const images = await ofRole('input');
  if (images.length === 0) {
    throw new UserError({
      problem: 'This run ended before its pictures were read, so it cannot be run again from here',
      remedy: 'Start it from the image.',
    });
  }
  return { images, helpers: await ofRole('helper') };
}

/** The folder a file lies in. */
export function folderOf(uri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(uri, '..');
}

async function readImage(uri: vscode.Uri): Promise<ImageInput> {
  const name = baseName(uri);
  if (uri.scheme === 'file') return { name, bytes: await readPictureFile(uri.fsPath) };
  try {
    const { type, size } = await vscode.workspace.fs.stat(uri);
    if ((type & vscode.FileType.File) === 0) throw new Error('it is no plain file');
    if (size > MAX_PICTURE_BYTES) throw new Error(`${size} bytes are more than ${MAX_PICTURE_BYTES}`);
    return { name, bytes: await vscode.workspace.fs.readFile(uri) };
  } catch (error) {
    throw new UserError(
      { problem: 'This picture cannot be opened', found: messageOf(error), where: uri.toString(true) },
      { cause: error },
    );
  }
}
