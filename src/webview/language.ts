/** Takes the reader's language from the page's HTML. */

import { setBundle, type Bundle } from '../base/l10n.ts';
import { BUNDLE_ID } from '../protocol/language.ts';

/** Call it before the first drawing. */
export function adoptLanguage(): void {
  const text = document.getElementById(BUNDLE_ID)?.textContent;
  if (text) setBundle(JSON.parse(text) as Bundle);
}
