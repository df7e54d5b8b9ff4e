/** "Evaluate samples…": opens a samples file as a table; from code, it also starts an evaluation. */

import * as vscode from 'vscode';
import * as z from 'zod';
import { FED, inOrderOfFed, USUAL, type Fed } from '../../evaluation/fed.ts';
import { choose } from '../window.ts';
import type { SamplesEditors } from './editor.ts';

const MAX_FOUND = 30;

/** Second argument of `ilvr.evaluate` when it is called from code. */
const evaluateOptions = z.object({
  passes: z.union([
    z.enum(['own', 'all']).transform((name): Fed[] => (name === 'own' ? ['own'] : [...USUAL])),
    z.array(z.enum(FED)).min(1).transform(inOrderOfFed),
  ]),
  tests: z.boolean().default(false),
  limit: z.int().min(1).optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
});

/** What a call from code gets when the evaluation has ended. */
export interface EvaluateOutcome {
  /** Path of the results, without what was fed. */
  results: string;
  /** False if it was stopped. */
  finished: boolean;
}

export function isEvaluateOptions(value: unknown): boolean {
  return evaluateOptions.safeParse(value).success;
}

export async function evaluateSamples(
  editors: SamplesEditors,
  target: unknown,
  options: unknown,
): Promise<EvaluateOutcome | undefined> {
  const file = target instanceof vscode.Uri ? target : (samplesInEditor() ?? (await chooseSamples()));
  if (file === undefined) return undefined;
  const page = await editors.open(file);
  const called = evaluateOptions.safeParse(options).data;
  if (called === undefined) return undefined;
  const { passes, tests, limit, settings } = called;
  const choice = { passes, tests, ...(limit !== undefined && { limit }) };
  const { results, ended } = await page.start(choice, settings);
  return { results, finished: await ended };
}

/** Writes a report on the samples in front, or those that are chosen. */
export async function writeReport(editors: SamplesEditors, target: unknown): Promise<string | undefined> {
  const file =
    target instanceof vscode.Uri ? target : (editors.active ?? samplesInEditor() ?? (await chooseSamples()));
  return file && (await editors.open(file)).writeReport(undefined);
}

function samplesInEditor(): vscode.Uri | undefined {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri?.path.endsWith('.jsonl') === true ? uri : undefined;
}

async function chooseSamples(): Promise<vscode.Uri | undefined> {
  const found = await vscode.workspace.findFiles(
    '**/*.jsonl',
    '**/{node_modules,checkpoints,watch}/**',
    MAX_FOUND,
  );
  const items = [
    ...found
      .filter(({ path }) => !/\/metrics\.jsonl$|\.results(\.\w+)?\.jsonl$/.test(path))
      .map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri })),
    { icon: 'folder-opened', label: vscode.l10n.t('Choose a file…'), uri: undefined },
  ];
  const picked = await choose(items, {
    title: vscode.l10n.t('Evaluate which samples?'),
    placeholder: vscode.l10n.t('A samples file in the official ILVR format'),
  });
  if (picked === undefined || picked.uri !== undefined) return picked?.uri;
  const [file] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Samples'),
      filters: { [vscode.l10n.t('Samples')]: ['jsonl'] },
    })) ?? [];
  return file;
}
