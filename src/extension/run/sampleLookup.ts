/** Finds the dataset sample that an image belongs to, so that its question and helpers can be offered. */

import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { readLines } from '../../dataset/lines.ts';
import { foldersAround } from '../../dataset/samplePicture.ts';
import { helperImagesOf, parseSample, rootNaming } from '../../dataset/samples.ts';
import type { KnownAnswer } from './verdict.ts';
import { sizeOfFile } from '../../files/plainFile.ts';
import { requireTrust } from '../trust.ts';

/** Larger files are datasets to train on, and nobody waits for a dialog while they are read. */
const MAX_BYTES = 32 * 2 ** 20;
const MAX_FILES = 10;

/** What a sample says about an image. */
export interface ImageSample extends KnownAnswer {
  helpers: vscode.Uri[];
}

/**
 * Looks through the JSONL files beside `image`, `samples.jsonl` first, then through those of the folders above it in
 * the workspace; their paths may count from a folder above them too. An offer only: files that are no samples, or
 * that cannot be read, give none.
 * @throws TrustError, as samples name files anywhere
 */
export async function findSample(image: vscode.Uri): Promise<ImageSample | undefined> {
  requireTrust('Samples beside an image are read in trusted workspaces only');
  if (image.scheme !== 'file') return undefined;
  for (const folder of foldersUpTo(vscode.workspace.getWorkspaceFolder(image)?.uri.fsPath, image.fsPath)) {
    for (const file of await jsonLinesFiles(folder)) {
      try {
        const sample = await findInFile(join(folder, file), image.fsPath);
        if (sample) return sample;
      } catch {
        // Damaged or of another kind; whoever opens it as a dataset is told.
      }
    }
  }
  return undefined;
}

/** The image's folder, and those above it as far as the workspace reaches. */
function foldersUpTo(top: string | undefined, image: string): string[] {
  const around = foldersAround(image);
  const end = top === undefined ? -1 : around.indexOf(top);
  return around.slice(0, Math.max(1, end + 1));
}

async function jsonLinesFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.jsonl'));
  return names.toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b)).slice(0, MAX_FILES);
}

async function findInFile(file: string, image: string): Promise<ImageSample | undefined> {
  if ((await sizeOfFile(file)) > MAX_BYTES) return undefined;
  for await (const line of readLines(file)) {
    // Most lines name other pictures and need not be parsed.
    if (!line.text.includes(basename(image))) continue;
    const root = rootNaming(image, line, file);
    const sample = root && (await parseSample(line, file, { root }).catch(() => undefined));
    if (!sample) continue;
    return {
      source: basename(file),
      question: sample.question.replaceAll('<image>', '').trim(),
      pictures: sample.images.length,
      helpers: helperImagesOf(sample).flatMap(({ path }) =>
        path === undefined ? [] : vscode.Uri.file(path),
      ),
      ...((sample.map ?? sample.answer) !== undefined && {
        truth: { map: sample.map, answer: sample.answer },
      }),
    };
  }
  return undefined;
}

function rank(name: string): number {
  return name === 'samples.jsonl' ? 0 : 1;
}
