/** The colour laws as choices. */

import type { Law } from '../../heatmap/law.ts';

export const LAW_OPTIONS: { value: Law; label: string; title: string }[] = [
  {
    value: 'spotlight',
    label: 'Spotlight',
    title: 'The picture in its own colours where the latent looks, dimmed where it does not',
  },
  { value: 'heat', label: 'Heat', title: 'The value’s colour over the picture; no value, no colour' },
];
