/** What was asked, what was answered, by which model on which device, and what can be done with it. */

import type { VNode } from 'preact';
import { plural, t } from '../../base/l10n.ts';
import { unreachable } from '../../base/errors.ts';
import { deviceLabel } from '../../tensor/device.ts';
import { computedIn } from '../../tensor/weightFormat.ts';
import { statedAnswer } from '../../trace/answer.ts';
import type { PanelState } from '../../protocol/panel.ts';
import type { Trace, TraceVerdict } from '../../trace/schema.ts';
import { describeProtocol, promptWords } from '../../trace/protocolWords.ts';
import { blockSummary, describeReach, explainEnd } from '../../trace/steps.ts';
import { duration, parameters, sampling, totalTime } from '../logic/format.ts';
import { Button } from '../toolkit.tsx';
import { Fact } from './Fact.tsx';
import { toggleHelp } from './Help.tsx';
import type { Scene } from './scene.ts';

interface HeaderProps {
  trace: Trace;
  fileName: string | undefined;
  canRun: boolean;
  /** Why nothing can be run now. */
  locked: string | undefined;
  history: PanelState['history'];
  call: Scene['call'];
}

const DTYPES = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;

export function Header({ trace, fileName, canRun, locked, history, call }: HeaderProps): VNode {
  const { model, device, tokens } = trace;
  const time = totalTime(trace.timings);
  const ways = [...new Set(trace.blocks.map(({ ended }) => ended))];
  const ends = ways.map((ended) => explainEnd(ended, model)).join(' ');
  return (
    <header class="header">
      <div class="header-top">
        <div class="asked">
          <h1 title={trace.question}>{trace.question}</h1>
          <Answer trace={trace} />
        </div>
        {history !== undefined && <History history={history} call={call} />}
        <Actions trace={trace} canRun={canRun} locked={locked} call={call} />
      </div>
      <ul class="facts" aria-label={t('About this run')}>
        <Fact
          name={t('Model')}
          title={t('{0}, {1} layers × {2} heads', model.architecture, model.layers, model.heads)}
        >
          <b>{model.name}</b> {parameters(model.parameters)}, {t('{0} weights', DTYPES[model.dtype])}
          {computedIn(model.weights)}
        </Fact>
        <Fact name={t('Device')} title={`${device.reason} ${device.runtime}`}>
          {deviceLabel(device.provider)}: <b>{device.name}</b>
        </Fact>
        {model.latentReach !== undefined && (
          <Fact name={t('Latent reach')} title={describeReach(model.latentReach)}>
            <b>{model.latentReach}</b>
          </Fact>
        )}
        {model.protocol !== undefined && (
          <Fact name={t('Latent protocol')} title={promptWords(model.protocol)}>
            {describeProtocol(model.protocol)}
          </Fact>
        )}
        <Fact name={t('Latent blocks')} {...(ends !== '' && { title: ends })}>
          {blockSummary(trace)}
        </Fact>
        <Fact name={t('Length')} title={t('Tokens of the answer, latents and their markers included')}>
          <b>{plural(tokens.length, '{0} token', '{0} tokens')}</b>
          {time !== undefined && ` ${t('in {0}', duration(time))}`}
        </Fact>
        <Fact name={t('Sampling')}>{sampling(trace)}</Fact>
        {fileName !== undefined && <Fact name={t('File')}>{fileName}</Fact>}
      </ul>
      {canRun && locked !== undefined && (
        <p class="status status-warning" role="status">
          {locked}
        </p>
      )}
      {[...(model.notes ?? []), ...(trace.settings.notes ?? [])].map((note) => (
        <p key={note} class="status status-warning" role="note">
          {note}
        </p>
      ))}
      <Status trace={trace} />
    </header>
  );
}

function noAnswer({ status }: Trace): string {
  if (status === 'running') return '…';
  return status === 'complete' ? t('none: cut off at the token limit') : t('none');
}

/** The answer stands with the question: nobody should have to look for it. */
function Answer({ trace }: { trace: Trace }): VNode {
  const answer = statedAnswer(trace);
  const { verdict } = trace;
  return (
    <p class="answer">
      <span class="dim">{t('Answer')}</span>{' '}
      {answer === undefined ? <span class="dim">{noAnswer(trace)}</span> : <b title={answer}>{answer}</b>}
      {verdict !== undefined && (
        <>
          {' '}
          <Verdict verdict={verdict} />
        </>
      )}
    </p>
  );
}

function Verdict({ verdict: { right, expected, source } }: { verdict: TraceVerdict }): VNode {
  const wanted = right || expected === undefined ? '' : `, ${t('expected {0}', expected)}`;
  return (
    <span class="verdict" data-right={right} title={t('According to {0}', source)}>
      <span aria-hidden="true">{right ? '✓' : '✗'}</span> {right ? t('right') : t('wrong') + wanted}
      <span class="dim"> ({source})</span>
    </span>
  );
}

/** The runs that "Run again" has made, one of which is shown. */
function History({
  history: { at, of },
  call,
}: {
  history: NonNullable<PanelState['history']>;
  call: Scene['call'];
}): VNode {
  return (
    <div class="history" role="group" aria-label={t('Runs in this panel')}>
      <Button
        appearance="icon"
        label={t('Earlier run')}
        title={t('Earlier run')}
        disabled={at === 0}
        onClick={() => call((host) => host.showOther(-1))}
      >
        ◀
      </Button>
      <span role="status" aria-label={t('Run {0} of {1}', at + 1, of)}>
        {t('{0} of {1}', at + 1, of)}
      </span>
      <Button
        appearance="icon"
        label={t('Later run')}
        title={t('Later run')}
        disabled={at === of - 1}
        onClick={() => call((host) => host.showOther(1))}
      >
        ▶
      </Button>
    </div>
  );
}

function Actions({ trace, canRun, locked, call }: Omit<HeaderProps, 'fileName' | 'history'>): VNode {
  const running = trace.status === 'running';
  return (
    <div class="actions">
      {canRun && running && <Button onClick={() => call((host) => host.cancel())}>{t('Stop run')}</Button>}
      {canRun && !running && (
        <Button
          title={locked ?? t("Asks the same question with today's settings; this run is kept")}
          disabled={locked !== undefined}
          onClick={() => call((host) => host.runAgain())}
        >
          {t('Run again')}
        </Button>
      )}
      {canRun && !running && (
        <Button
          title={locked ?? t('Runs again with another question; this run is kept')}
          disabled={locked !== undefined}
          onClick={() => call((host) => host.askAgain())}
        >
          {t('Edit question…')}
        </Button>
      )}
      {canRun && (
        <Button
          title={locked ?? t('Compared with the latents on the next run; pictures can also be dropped here')}
          disabled={locked !== undefined}
          onClick={() => call((host) => host.chooseHelpers())}
        >
          {t('Add helper images…')}
        </Button>
      )}
      {!canRun && <Button onClick={() => call((host) => host.openAsText())}>{t('Open as text')}</Button>}
      {!running && (
        <Button
          title={locked ?? t('From the word or latent that is selected on, with something changed')}
          disabled={locked !== undefined}
          onClick={() => call((host) => host.branch())}
        >
          {t('From here on…')}
        </Button>
      )}
      {!running && (
        <Button
          title={t('Beside another run or branch: texts, maps, latents, probabilities')}
          onClick={() => call((host) => host.compareWith())}
        >
          {t('Compare with…')}
        </Button>
      )}
      {!running && (
        <Button appearance="primary" onClick={() => call((host) => host.exportTrace())}>
          {t('Export…')}
        </Button>
      )}
      <Button
        appearance="icon"
        label={t('Keyboard shortcuts')}
        title={t('Keyboard shortcuts (?)')}
        onClick={toggleHelp}
      >
        ?
      </Button>
    </div>
  );
}

/** Said plainly when the run is not whole; a complete run needs no remark. */
function Status({ trace }: { trace: Trace }): VNode | null {
  switch (trace.status) {
    case 'complete':
      return null;
    case 'running':
      return (
        <p class="status" role="status">
          {t('Running: steps and maps appear as they are computed.')}
        </p>
      );
    case 'cancelled':
      return (
        <p class="status status-warning" role="status">
          {t('Partial trace: the run was stopped after {0} tokens.', trace.tokens.length)}{' '}
          {trace.failure ?? ''}
        </p>
      );
    case 'failed':
      return (
        <p class="status status-error" role="alert">
          {t('Partial trace: the run failed after {0} tokens.', trace.tokens.length)} {trace.failure ?? ''}
        </p>
      );
    default:
      return unreachable(trace.status);
  }
}
