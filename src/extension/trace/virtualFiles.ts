/** Traces on file systems that only VS Code can read: their files are read whole, within a bound. */

import * as vscode from 'vscode';
import { messageOf, UserError } from '../../base/errors.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import type { TraceFiles } from './traceFiles.ts';

/** Of one file. */
const MAX_BYTES = 2 ** 28;

/** @throws UserError if it cannot be read, is too large or no trace */
export async function openVirtual(files: TraceFiles, file: vscode.Uri): Promise<OpenTrace> {
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  return files.openWhole(name, await readWhole(file), (beside) =>
    readWhole(vscode.Uri.joinPath(file, '..', beside)),
  );
}

async function readWhole(file: vscode.Uri): Promise<Uint8Array> {
  try {
    const { size } = await vscode.workspace.fs.stat(file);
    if (size > MAX_BYTES) throw refused(file, `${Math.ceil(size / 2 ** 20)} MB`);
    return await vscode.workspace.fs.readFile(file);
  } catch (error) {
    throw error instanceof UserError ? error : refused(file, messageOf(error), error);
  }
}

function refused(file: vscode.Uri, found: string, cause?: unknown): UserError {
  return new UserError(
    {
      problem: 'This trace cannot be opened from there',
      expected: `a file of at most ${MAX_BYTES / 2 ** 20} MB`,
      found,
      where: file.toString(true),
      remedy: 'Copy it to a folder on this computer and open it there.',
    },
    { cause },
  );
}
