/**
 * One line of the answer, token by token. Its words are made once; what a key changes of them (shade, whether they are
 * selected) is written to their elements, since to compare hundreds of words with themselves takes longer. Their names,
 * which hold a figure of the brush, follow when the reader rests.
 */

import type { VNode } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import type { Step } from '../../trace/steps.ts';
import type { TraceToken } from '../../trace/schema.ts';
import { strength, type Brush } from '../logic/brushing.ts';
import { number, percent, tokenLabel } from '../logic/format.ts';
import type { Scene } from './scene.ts';
import { REST_MS } from './useTarget.ts';

interface TextStepProps {
  step: Extract<Step, { kind: 'text' }>;
  scene: Scene;
}

/** As many as shades.css has rules. */
const SHADES = 16;

export function TextStep({ step, scene }: TextStepProps): VNode {
  const line = useRef<HTMLParagraphElement>(null);
  const { trace, version, view, brush, dispatch, hoverToken } = scene;
  const { first, last } = step;
  const selected = useRef(view.token);
  selected.current = view.token;
  const words = useMemo(() => {
    const pick = (token: number): void =>
      dispatch({ type: 'token', token: selected.current === token ? undefined : token });
    return (
      <p ref={line} class="step-line">
        {trace.tokens.slice(first, last + 1).map((token, i) => (
          <Word
            key={first + i}
            index={first + i}
            token={token}
            isFirst={i === 0}
            hoverToken={hoverToken}
            pick={pick}
          />
        ))}
      </p>
    );
  }, [trace, first, last, dispatch, hoverToken]);
  const names = useMemo(
    () => trace.tokens.slice(first, last + 1).map((token) => nameOf(token)),
    // What is stored of a token may come after it.
    [trace, version, first, last],
  );
  // Without latents the first token is how the keyboard gets into the steps.
  const isOnlyStop = view.token === undefined && scene.shown.latentIndex < 0;
  const marks = useRef<Mark[]>([]);
  const elements = (): HTMLCollection | never[] => line.current?.children ?? [];
  useLayoutEffect(() => {
    const all = elements();
    marks.current = names.map((_, i) => {
      const index = first + i;
      const isSelected = view.token === index;
      const isStop = isSelected || (isOnlyStop && index === 0);
      const shade = Math.round(SHADES * strength(brush, 'tokens', index));
      const mark = { shade, isSelected, isStop };
      markWord(all[i] as HTMLElement, marks.current[i], mark);
      return mark;
    });
  }, [names, words, brush, view.token, isOnlyStop]);
  const name = (i: number): void => {
    const element = elements()[i] as HTMLElement | undefined;
    const text = nameWith(names[i]!, brush, first + i);
    if (element !== undefined && element.ariaLabel !== text) element.ariaLabel = text;
  };
  useLayoutEffect(() => {
    // What the keyboard comes to is read out at once.
    const at = (view.token ?? -1) - first;
    if (names[at] !== undefined) name(at);
    const nameAll = (): void => names.forEach((_, i) => name(i));
    if (!elements()[0]?.ariaLabel) return nameAll();
    const timer = setTimeout(nameAll, REST_MS);
    return () => clearTimeout(timer);
  }, [names, words, brush, view.token]);
  return (
    <>
      <span class="step-number dim">{step.number}</span>
      {words}
    </>
  );
}

interface WordProps {
  index: number;
  token: TraceToken;
  isFirst: boolean;
  hoverToken: Scene['hoverToken'];
  pick: (token: number) => void;
}

function Word({ index, token: { text }, isFirst, hoverToken, pick }: WordProps): VNode {
  const line = text.replace(/\n+$/, '');
  return (
    <span
      id={`token-${index}`}
      class="token"
      role="button"
      onPointerEnter={({ currentTarget }) => {
        // A tip comes after the pointer has rested: it is early enough to say it now.
        currentTarget.title = currentTarget.ariaLabel ?? '';
        hoverToken(index);
      }}
      onPointerLeave={() => hoverToken(undefined)}
      onClick={() => pick(index)}
    >
      {/* The blank before a line's first word would set the line off from the others. */}
      {isFirst ? line.trimStart() : line}
      {line === text ? '' : <span class="newline">↵</span>}
    </span>
  );
}

interface Mark {
  /** 0 to SHADES */
  shade: number;
  isSelected: boolean;
  isStop: boolean;
}

/** Touches only what is not so yet. @param before what was written to it last */
function markWord(element: HTMLElement, before: Mark | undefined, { shade, isSelected, isStop }: Mark): void {
  if (before?.isSelected !== isSelected) element.ariaPressed = String(isSelected);
  if (before?.isStop !== isStop) element.tabIndex = isStop ? 0 : -1;
  if ((before?.shade ?? 0) === shade) return;
  if (shade === 0) delete element.dataset['shade'];
  else element.dataset['shade'] = String(shade);
}

/** What is said of a token before and after its share of the brush. */
function nameOf(token: TraceToken): [before: string, after: string] {
  const before = [t('Token {0}', tokenLabel(token))];
  if (token.probability !== undefined) before.push(t('probability {0}', percent(token.probability)));
  if (token.forced) before.push(t('forced'));
  return [before.join(', '), token.attention === undefined ? `, ${t('no attention stored')}` : ''];
}

function nameWith([before, after]: [string, string], brush: Brush | undefined, index: number): string {
  const amount = brush?.tokens.get(index);
  if (amount === undefined) return before + after;
  return `${before}, ${brush!.title}: ${number(amount)}${after}`;
}
