/** Before there is a run: what is being waited for, or what to do. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { Button, ProgressRing } from '../toolkit.tsx';
import type { Scene } from './scene.ts';

interface EmptyProps {
  connected: boolean;
  canRun: boolean;
  progress: string | undefined;
  call: Scene['call'];
}

export function Empty({ connected, canRun, progress, call }: EmptyProps): VNode {
  const waiting = progress ?? (connected ? undefined : t('Connecting…'));
  return (
    <main class="empty">
      <h1 class="hidden">ILVR</h1>
      {waiting === undefined ? (
        <>
          <p>{t('No run is shown.')}</p>
          <p class="dim">
            {canRun
              ? t('Ask a question about an image; the steps appear here as the model reasons.')
              : t('Open a trace (*.ilvr.json) to see what its latents attended to.')}
          </p>
        </>
      ) : (
        <>
          <ProgressRing />
          <p role="status">{waiting}</p>
          {canRun && <Button onClick={() => call((host) => host.cancel())}>{t('Cancel')}</Button>}
        </>
      )}
    </main>
  );
}
