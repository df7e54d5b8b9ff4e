/** The rows as a grid: only those near what is seen are in the page. One tab stop; keys move the row. */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { Column, PassState, Row } from '../../../protocol/evaluation.ts';
import { sortedBy } from '../../logic/rowQuery.ts';
import { MOVED, natsText } from '../../../evidence/causality.ts';
import { scoreText, signed } from '../../../evidence/faithfulness.ts';
import type { Small } from '../../evaluationModel.ts';
import { useVirtualRows } from '../useVirtualRows.ts';
import { fedName, OUTCOME_MARKS, outcomeName, type EvaluationScene } from './scene.ts';

/** CSS pixels; also in evaluation.css. */
const ROW_HEIGHT = 48;
const HEAD_HEIGHT = 28;

export function RowsGrid({ scene }: { scene: EvaluationScene }): VNode {
  const { state, model, query, call } = scene;
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const { count } = model;
  const passes = state.evaluation?.passes ?? [];
  const { items, total } = useVirtualRows({
    box,
    count,
    keyOf: (index) => index,
    estimate: () => ROW_HEIGHT,
    pinned: [active],
  });
  // What is seen may be of an older state, or of none; with no row known yet the first ones tell how many there are.
  useEffect(() => model.need(items.length === 0 ? [0] : items.map(({ index }) => index)));
  useEffect(() => {
    setActive(0);
    if (box.current !== null) box.current.scrollTop = 0;
  }, [query]);
  const at = Math.min(active, Math.max(0, count - 1));
  const open = (): void => {
    const row = model.row(at);
    if (row !== undefined) call((host) => host.openRun(row.line));
  };
  const move = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / ROW_HEIGHT) - 1);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count }[
      event.key
    ];
    if (event.target !== event.currentTarget) return;
    if (by !== undefined) {
      event.preventDefault();
      const next = Math.max(0, Math.min(count - 1, at + by));
      setActive(next);
      reveal(box.current, next);
    } else if (event.key === 'Enter') open();
  };
  const shown = (index: number): void => {
    setActive(index);
    box.current?.focus();
  };
  return (
    <div
      ref={box}
      class="rows"
      role="grid"
      tabIndex={0}
      aria-label={t('Samples; Enter opens the run of the row')}
      aria-rowcount={count + 1}
      aria-activedescendant={count > 0 ? `row-${at}` : undefined}
      onKeyDown={move}
      data-asked={state.evaluation !== undefined}
      style={{ '--passes': passes.length }}
    >
      <Heads scene={scene} />
      <div class="rows-all" role="rowgroup" style={{ height: `${total}px` }}>
        {items.map(({ index, start }) => (
          <SampleRow
            key={index}
            index={index}
            top={start}
            row={model.row(index)}
            passes={passes}
            isTested={state.evaluation?.tests !== undefined}
            isActive={index === at}
            picture={(line) => model.picture(line)}
            select={() => shown(index)}
            open={(line) => call((host) => host.openRun(line))}
            openLine={(line) => call((host) => host.openLine(line))}
          />
        ))}
      </div>
      {count === 0 && !state.reading && model.problem === undefined && (
        <p class="pad dim">{t('No row passes these filters.')}</p>
      )}
      {model.problem !== undefined && (
        <p class="pad" role="alert">
          {model.problem}
        </p>
      )}
    </div>
  );
}

function Heads({ scene: { state, query, ask } }: { scene: EvaluationScene }): VNode {
  const passes = state.evaluation?.passes ?? [];
  return (
    <div class="rows-head row" role="row" aria-rowindex={1}>
      <Head column="line" name={t('Line')} kind="line" query={query} ask={ask} />
      <span role="columnheader" class="cell cell-picture">
        <span class="hidden">{t('Picture')}</span>
      </span>
      <Head column="question" name={t('Question')} kind="question" query={query} ask={ask} />
      <Head column="truth" name={t('Truth')} kind="truth" query={query} ask={ask} />
      <Head column="answer" name={t('Answer')} kind="answer" query={query} ask={ask} />
      <Head column="outcome" name={t('Outcome')} kind="outcome" query={query} ask={ask} />
      {passes.length > 1 && (
        <span
          role="columnheader"
          class="cell cell-passes"
          title={passes.map(({ fed }) => fedName(fed)).join(', ')}
        >
          {t('Passes')}
        </span>
      )}
      <Head column="blocks" name={t('Blocks')} kind="blocks" query={query} ask={ask} />
      <Head column="tokens" name={t('Tokens')} kind="tokens" query={query} ask={ask} />
      <Head column="time" name={t('Time')} kind="time" query={query} ask={ask} />
      {state.evaluation?.tests !== undefined && (
        <>
          <Head
            column="kl"
            name={t('KL without')}
            about={t('KL per word without latents, in nats: the markers alone, its own words fed')}
            kind="kl"
            query={query}
            ask={ask}
          />
          <Head
            column="faithfulness"
            name={t('Map')}
            about={t('Faithfulness of the first latent’s map: above 0 it is better than random orders')}
            kind="faithfulness"
            query={query}
            ask={ask}
          />
        </>
      )}
    </div>
  );
}

/** Scrolls as little as it takes to see a row below the head. */
function reveal(box: HTMLElement | null, index: number): void {
  if (box === null) return;
  const top = index * ROW_HEIGHT;
  const seen = box.clientHeight - HEAD_HEIGHT;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + ROW_HEIGHT > box.scrollTop + seen) box.scrollTop = top + ROW_HEIGHT - seen;
}

interface HeadProps extends Pick<EvaluationScene, 'query' | 'ask'> {
  column: Column;
  name: string;
  /** What the column is, where its name does not say all. */
  about?: string;
  kind: string;
}

function Head({ column, name, about, kind, query, ask }: HeadProps): VNode {
  const isSorted = query.sort === column;
  const order = query.down ? 'descending' : 'ascending';
  return (
    <span role="columnheader" class={`cell cell-${kind}`} aria-sort={isSorted ? order : 'none'}>
      <button type="button" class="quiet" title={about} onClick={() => ask(sortedBy(query, column))}>
        {name}
        <span class="sort-mark" aria-hidden="true">
          {isSorted ? (query.down ? '▾' : '▴') : ''}
        </span>
      </button>
    </span>
  );
}

interface SampleRowProps {
  index: number;
  top: number;
  row: Row | undefined;
  passes: PassState[];
  isTested: boolean;
  isActive: boolean;
  picture: (line: number) => Small;
  select: () => void;
  open: (line: number) => void;
  openLine: (line: number) => void;
}

function SampleRow(props: SampleRowProps): VNode {
  const { index, top, row, passes, isTested, isActive, picture, select, open, openLine } = props;
  return (
    <div
      id={`row-${index}`}
      class="row"
      role="row"
      data-index={index}
      aria-rowindex={index + 2}
      aria-selected={isActive}
      style={{ transform: `translateY(${top}px)` }}
      onClick={select}
      onDblClick={() => row !== undefined && open(row.line)}
    >
      {row === undefined ? (
        <span role="gridcell" class="cell dim">
          …
        </span>
      ) : (
        <>
          <Cells row={row} passes={passes} picture={picture} open={open} openLine={openLine} />
          {isTested && <TestCells row={row} />}
        </>
      )}
    </div>
  );
}

type CellsProps = Pick<SampleRowProps, 'passes' | 'picture' | 'open' | 'openLine'> & { row: Row };

function Cells({ row, passes, picture, open, openLine }: CellsProps): VNode {
  const { line, id, size, question, truth, answer, outcome, problem, outcomes } = row;
  return (
    <>
      <span role="gridcell" class="cell cell-line numeric">
        <button
          type="button"
          class="quiet link"
          tabIndex={-1}
          title={t('Open line {0} of the file', line)}
          onClick={() => openLine(line)}
        >
          {line}
        </button>
      </span>
      <span role="gridcell" class="cell cell-picture">
        {row.hasPicture && <RowPicture small={picture(line)} />}
      </span>
      <span role="gridcell" class="cell cell-question" title={question}>
        <span class="cell-text">{question}</span>
        <span class="dim cell-text">
          {[id, size === undefined ? undefined : `${size} × ${size}`].filter(Boolean).join(' · ')}
        </span>
      </span>
      <span role="gridcell" class="cell cell-truth" title={truth}>
        <span class="cell-text">{truth}</span>
      </span>
      <span role="gridcell" class="cell cell-answer" title={problem ?? answer}>
        <span class="cell-text">{answer ?? ''}</span>
        {problem !== undefined && <span class="cell-problem cell-text">{problem}</span>}
      </span>
      <span role="gridcell" class="cell cell-outcome" data-outcome={outcome}>
        <span aria-hidden="true">{OUTCOME_MARKS[outcome]}</span> <span>{outcomeName(outcome)}</span>
        <button type="button" class="quiet link open-run" tabIndex={-1} onClick={() => open(line)}>
          {t('Open run')}
        </button>
      </span>
      {passes.length > 1 && (
        <span role="gridcell" class="cell cell-passes">
          {outcomes.map((each, i) => {
            const pass = passes[i];
            if (pass === undefined) return null;
            const name = `${fedName(pass.fed)}: ${outcomeName(each)}`;
            return (
              <span key={pass.fed} data-outcome={each} role="img" aria-label={name} title={name}>
                {OUTCOME_MARKS[each]}
              </span>
            );
          })}
        </span>
      )}
      <span role="gridcell" class="cell cell-blocks numeric">
        {row.blocks ?? ''}
      </span>
      <span role="gridcell" class="cell cell-tokens numeric">
        {row.tokens ?? ''}
      </span>
      <span role="gridcell" class="cell cell-time numeric">
        {row.milliseconds === undefined ? '' : t('{0} s', (row.milliseconds / 1000).toFixed(1))}
      </span>
    </>
  );
}

/** Strong where the words move, and where the map is better than random orders. */
function TestCells({ row: { kl, faithfulness, untested } }: { row: Row }): VNode {
  return (
    <>
      <span role="gridcell" class="cell cell-kl numeric" title={untested}>
        {kl === undefined ? (
          untested !== undefined && <span class="cell-problem">{t('no test')}</span>
        ) : (
          <span data-strong={kl >= MOVED}>{natsText(kl)}</span>
        )}
      </span>
      <span
        role="gridcell"
        class="cell cell-faithfulness numeric"
        title={faithfulness === undefined ? untested : scoreText(faithfulness)}
      >
        {faithfulness !== undefined ? (
          <span data-strong={faithfulness.low > 0}>{signed(faithfulness.value)}</span>
        ) : (
          kl !== undefined && (
            <span class="dim" title={t('Its map is the same at every patch, so that it has no order.')}>
              {t('no score')}
            </span>
          )
        )}
      </span>
    </>
  );
}

function RowPicture({ small }: { small: Small }): VNode | null {
  const canvas = useRef<HTMLCanvasElement>(null);
  const bitmap = small !== undefined && 'width' in small ? small : undefined;
  useLayoutEffect(() => {
    if (canvas.current === null || bitmap === undefined) return;
    [canvas.current.width, canvas.current.height] = [bitmap.width, bitmap.height];
    canvas.current.getContext('2d')?.drawImage(bitmap, 0, 0);
  }, [bitmap]);
  if (small === undefined) return null;
  if (bitmap === undefined) {
    const problem = 'problem' in small ? small.problem : '';
    return (
      <span class="no-picture dim" role="img" title={problem} aria-label={problem || t('no picture')}>
        ▨
      </span>
    );
  }
  return <canvas ref={canvas} class="row-picture" aria-hidden="true" />;
}
