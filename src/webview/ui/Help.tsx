/** The list of keys, as a popover: Esc or a click elsewhere closes it. */

import type { VNode } from 'preact';
import { t, translated } from '../../base/l10n.ts';
import { KEY_HELP } from '../logic/keyboard.ts';

const HELP_ID = 'help';

/** Shows the list, or hides it. */
export function toggleHelp(): void {
  document.getElementById(HELP_ID)?.togglePopover();
}

export function Help(): VNode {
  return (
    <div id={HELP_ID} class="help" popover="auto" role="dialog" aria-label={t('Keyboard shortcuts')}>
      <div class="popover-head">
        <h2>{t('Keyboard shortcuts')}</h2>
        <button type="button" class="quiet" aria-label={t('Close')} title={t('Close')} onClick={toggleHelp}>
          ✕
        </button>
      </div>
      <table>
        <tbody>
          {KEY_HELP.map(([keys, meaning]) => (
            <tr key={keys}>
              <th scope="row">{translated(keys)}</th>
              <td>{translated(meaning)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
