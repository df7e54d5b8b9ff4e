/**
 * The two steps before a run: which question, which helper images. Enter twice takes what is offered.
 */

import * as vscode from 'vscode';
import { UserError } from '../../base/errors.ts';
import { chooseImages, folderOf } from './imageFiles.ts';
import type { ImageSample } from './sampleLookup.ts';
import { defaultQuestion } from '../settings.ts';
import { choose, chooseOrType, type Choice } from '../window.ts';

const HISTORY_KEY = 'ilvr.questions';
const HISTORY_LENGTH = 20;

interface QuestionItem extends Choice {
  question: string;
}

/** Asks for the one question about these pictures; undefined when the dialog was left. */
export async function askQuestion(
  memory: vscode.Memento,
  sample: ImageSample | undefined,
  pictures: readonly string[],
): Promise<string | undefined> {
  const offered = offeredQuestions(memory, sample);
  const typed = (value: string): QuestionItem => ({
    label: value,
    question: value,
    description: vscode.l10n.t('as typed'),
  });
  const picked = await chooseOrType(offered, typed, {
    title:
      pictures.length > 1
        ? vscode.l10n.t('{0} pictures in one question: {1}', pictures.length, pictures.join(', '))
        : vscode.l10n.t('What is the question?'),
    placeholder: offered[0]?.question ?? '',
    step: 1,
    totalSteps: 2,
  });
  return picked?.question;
}

/** The question without surrounding blanks; an empty one is refused. */
export function checkQuestion(question: string): string {
  const trimmed = question.trim();
  if (trimmed === '') {
    throw new UserError({
      problem: 'The question is empty',
      expected: 'a question about the image',
      remedy: 'Type one, or take the one that is offered.',
    });
  }
  return trimmed;
}

/** Puts a question first in the list that is offered next time. */
export async function rememberQuestion(memory: vscode.Memento, question: string): Promise<void> {
  const others = memory.get<string[]>(HISTORY_KEY, []).filter((other) => other !== question);
  await memory.update(HISTORY_KEY, [question, ...others].slice(0, HISTORY_LENGTH));
}

/** Asks which helper images to use; undefined when the dialog was left. */
export async function askHelpers(
  image: vscode.Uri,
  sample: ImageSample | undefined,
): Promise<vscode.Uri[] | undefined> {
  const fromSample = sample !== undefined && sample.helpers.length > 0 ? sample : undefined;
  const none = { label: vscode.l10n.t('None'), choice: 'none' as const };
  const files = { label: vscode.l10n.t('Choose files…'), choice: 'files' as const };
  const items =
    fromSample === undefined
      ? [none, files]
      : [
          {
            label: vscode.l10n.t('From {0} ({1})', fromSample.source, fromSample.helpers.length),
            choice: 'sample' as const,
          },
          files,
          none,
        ];
  const picked = await choose(items, {
    // Numbered as the first step is.
    title: `${vscode.l10n.t('Helper images to compare with the latents')} (2/2)`,
    placeholder: vscode.l10n.t('The model does not see them unless "ilvr.helpers" says so'),
    ignoreFocusOut: true,
  });
  if (picked === undefined) return undefined;
  if (picked.choice === 'sample') return fromSample?.helpers ?? [];
  return picked.choice === 'none' ? [] : chooseImages(vscode.l10n.t('Helper images'), folderOf(image));
}

function offeredQuestions(memory: vscode.Memento, sample: ImageSample | undefined): QuestionItem[] {
  const items: QuestionItem[] = [];
  const add = (question: string, description: string): void => {
    if (!items.some((item) => item.question === question)) {
      items.push({ label: question, question, description });
    }
  };
  if (sample) add(sample.question, vscode.l10n.t('from {0}', sample.source));
  add(defaultQuestion(), vscode.l10n.t('from the settings'));
  for (const question of memory.get<string[]>(HISTORY_KEY, [])) add(question, vscode.l10n.t('asked before'));
  return items;
}
