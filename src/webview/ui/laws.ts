/** The colour laws as choices. */

import { t } from '../../base/l10n.ts';
import type { Law } from '../../heatmap/law.ts';

export const lawOptions = (): { value: Law; label: string; title: string }[] => [
  {
    value: 'spotlight',
    label: t('Spotlight'),
    title: t('The picture in its own colours where the latent looks, dimmed where it does not'),
  },
  { value: 'heat', label: t('Heat'), title: t('The value’s colour over the picture; no value, no colour') },
];
