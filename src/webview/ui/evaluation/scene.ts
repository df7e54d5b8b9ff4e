/** What every part of a samples file's page draws from. */

import { unreachable } from '../../../base/errors.ts';
import { t } from '../../../base/l10n.ts';
import type { Fed } from '../../../evaluation/fed.ts';
import type {
  EvaluationPageHost,
  Outcome,
  RowQuery,
  TableState,
  TestFilter,
} from '../../../protocol/evaluation.ts';
import type { EvaluationModel } from '../../evaluationModel.ts';

export interface EvaluationScene {
  state: TableState;
  model: EvaluationModel;
  query: RowQuery;
  ask: (values: Partial<RowQuery>) => void;
  /** Does something in the host; what goes wrong is told in the page. */
  call: (action: (host: EvaluationPageHost) => Promise<void>) => void;
}

export function fedName(fed: Fed): string {
  switch (fed) {
    case 'own':
      return t('its own');
    case 'zero':
      return t('zeroed');
    case 'noise':
      return t('noise of equal norm');
    case 'swap':
      return t('another sample’s');
    case 'mean':
      return t('their mean');
    case 'shuffle':
      return t('in another order');
    case 'oracle':
      return t('the teacher’s selection');
    case 'dummy':
      return t('pads (dummy slots)');
    case 'none':
      return t('no block at all');
    case 'markers':
      return t('markers only');
    default:
      return unreachable(fed);
  }
}

export function outcomeName(outcome: Outcome): string {
  switch (outcome) {
    case 'right':
      return t('right');
    case 'wrong':
      return t('wrong');
    case 'failed':
      return t('no answer');
    case 'open':
      return t('not asked yet');
    case 'unusable':
      return t('cannot be asked');
    default:
      return unreachable(outcome);
  }
}

export function testFilterName(filter: TestFilter): string {
  switch (filter) {
    case 'moves':
      return t('words move without latents');
    case 'still':
      return t('words stay without latents');
    case 'faithful':
      return t('map above random orders');
    case 'unfaithful':
      return t('map not above random orders');
    default:
      return unreachable(filter);
  }
}

export const OUTCOME_MARKS: Record<Outcome, string> = {
  right: '✓',
  wrong: '✗',
  failed: '–',
  open: '·',
  unusable: '!',
};
