/** "Choose format of the weights": what each takes of the memory that is free, where it is chosen. */

import * as vscode from 'vscode';
import { unreachable, UserError } from '../base/errors.ts';
import { inBytes } from '../process/memory.ts';
import type { PlannedModel } from '../protocol/engine.ts';
import { deviceLabel } from '../tensor/device.ts';
import { formatLabel, WEIGHT_CHOICES, type WeightChoice } from '../tensor/weightFormat.ts';
import type { EngineService } from './engineService.ts';
import { readRunSettings, saveSetting } from './settings.ts';
import { requireTrust } from './trust.ts';
import { choose, showWork, type Choice } from './window.ts';

interface WeightsItem extends Choice {
  choice: WeightChoice;
  /** Why it cannot be chosen. */
  refused?: string;
}

/**
 * Sets "ilvr.weights".
 * @param choice asked for if it is none
 * @returns what was set; undefined when the list was left
 */
export async function selectWeights(
  context: vscode.ExtensionContext,
  engine: EngineService,
  choice?: unknown,
): Promise<WeightChoice | undefined> {
  requireTrust('Settings of the engine are chosen in trusted workspaces only');
  const given = WEIGHT_CHOICES.find((each) => each === choice) ?? (await ask(context, engine));
  if (given === undefined) return undefined;
  await saveSetting('weights', given === 'auto' ? undefined : given);
  return given;
}

async function ask(
  context: vscode.ExtensionContext,
  engine: EngineService,
): Promise<WeightChoice | undefined> {
  const { model: folder, adapter, device, weights } = readRunSettings(context);
  const title = vscode.l10n.t('ILVR: computing what the model takes …');
  const plan = await showWork(title, () =>
    engine.plan({ folder, device, ...(adapter !== undefined && { adapter }) }),
  );
  const picked = await choose(itemsOf(plan, weights), {
    title: vscode.l10n.t(
      '{0} on {1}: {2} of main memory are free',
      plan.name,
      deviceLabel(plan.provider),
      inBytes(plan.free),
    ),
    placeholder: vscode.l10n.t('In what are the weights computed? Planned is a picture of a megapixel'),
  });
  if (picked?.refused === undefined) return picked?.choice;
  throw new UserError({
    problem: 'These weights cannot be chosen here',
    expected: 'a format that fits',
    found: picked.refused,
    remedy: 'Choose another, or free memory.',
  });
}

function itemsOf({ formats, automatic }: PlannedModel, current: WeightChoice): WeightsItem[] {
  const auto: WeightsItem = {
    choice: 'auto',
    label: 'auto',
    icon: current === 'auto' ? 'check' : 'blank',
    description:
      automatic === undefined ? vscode.l10n.t('nothing fits') : `→ ${formatLabel(automatic.format)}`,
    ...(automatic !== undefined && { detail: automatic.reason }),
  };
  return [
    auto,
    ...formats.map((needs): WeightsItem => {
      const { format, weights, picture, prompt, capture, total, refused } = needs;
      return {
        choice: format,
        label: formatLabel(format),
        icon: refused !== undefined ? 'circle-slash' : current === format ? 'check' : 'blank',
        description: `${inBytes(total)} · ${fitText(needs)}`,
        detail: vscode.l10n.t(
          'weights {0} · picture {1} · prompt {2} · kept attention {3}',
          inBytes(weights),
          inBytes(picture),
          inBytes(prompt),
          inBytes(capture),
        ),
        ...(refused !== undefined && { refused }),
      };
    }),
  ];
}

function fitText({ fit, refused = '' }: PlannedModel['formats'][number]): string {
  switch (fit) {
    case 'fits':
      return vscode.l10n.t('fits');
    case 'small-pictures':
      return vscode.l10n.t('fits with small pictures');
    case 'unknown':
      return vscode.l10n.t('if the GPU has it');
    case 'refused':
      return refused;
    default:
      return unreachable(fit);
  }
}
