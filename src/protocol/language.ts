/** How a page learns the reader's language: its HTML carries the bundle as data, so that the first drawing has it. */

import type { Bundle } from '../base/l10n.ts';

/** Id of the element that holds the bundle. */
export const BUNDLE_ID = 'l10n-bundle';

/** The element for a page's HTML. It is data and no script, so the page's policy has nothing to allow. */
export function bundleElement(bundle: Bundle | undefined): string {
  // "</script>" inside a sentence must not end the element.
  const json = JSON.stringify(bundle ?? {}).replaceAll('<', String.raw`\u003c`);
  return `<script type="application/json" id="${BUNDLE_ID}">${json}</script>`;
}
