/**
 * One line of the answer, token by token. Its words are made once; what a key changes of them (shade, name, whether they
 * are selected) is written to their elements, since to compare hundreds of words with themselves takes longer.
 */

import type { VNode } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import type { Step } from '../../trace/steps.ts';
import type { TraceToken } from '../../trace/schema.ts';
import { strength, type Brush } from '../logic/brushing.ts';
import { number, percent, tokenLabel } from '../logic/format.ts';
import type { Scene } from './scene.ts';

interface TextStepProps {
  step: Extract<Step, { kind: 'text' }>;
  scene: Scene;
}

/** As many as shades.css has rules. */
const SHADES = 16;

export function TextStep({ step, scene }: TextStepProps): VNode {
  const line = useRef<HTMLParagraphElement>(null);
  const { trace, view, brush, dispatch, hoverToken } = scene;
  const { first, last } = step;
  const selected = useRef(view.token);
  selected.current = view.token;
  const words = useMemo(() => {
    const pick = (token: number): void =>
      dispatch({ type: 'token', token: selected.current === token ? undefined : token });
    return trace.tokens
      .slice(first, last + 1)
      .map((token, i) => (
        <Word
          key={first + i}
          index={first + i}
          token={token}
          isFirst={i === 0}
          hoverToken={hoverToken}
          pick={pick}
        />
      ));
  }, [trace, first, last, dispatch, hoverToken]);
  const names = useMemo(
    () => trace.tokens.slice(first, last + 1).map((token) => nameOf(token)),
    // What is stored of a token may come after it.
    [trace, scene.version, first, last],
  );
  // Without latents the first token is how the keyboard gets into the steps.
  const isOnlyStop = view.token === undefined && scene.shown.latentIndex < 0;
  useLayoutEffect(() => {
    const elements = line.current?.children ?? [];
    names.forEach((name, i) => {
      const index = first + i;
      const isSelected = view.token === index;
      mark(elements[i] as HTMLElement, {
        name: nameWith(name, brush, index),
        shade: Math.round(SHADES * strength(brush, 'tokens', index)),
        isSelected,
        isStop: isSelected || (isOnlyStop && index === 0),
      });
    });
  }, [names, words, brush, view.token, isOnlyStop]);
  return (
    <>
      <span class="step-number dim">{step.number}</span>
      <p ref={line} class="step-line">
        {words}
      </p>
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

interface Marking {
  name: string;
  /** 0 to SHADES */
  shade: number;
  isSelected: boolean;
  isStop: boolean;
}

/** Touches only what is not so yet. */
function mark(element: HTMLElement, { name, shade, isSelected, isStop }: Marking): void {
  if (element.ariaLabel !== name) element.ariaLabel = name;
  const pressed = String(isSelected);
  if (element.ariaPressed !== pressed) element.ariaPressed = pressed;
  const stop = isStop ? 0 : -1;
  if (element.tabIndex !== stop || !element.hasAttribute('tabindex')) element.tabIndex = stop;
  const shaded = shade === 0 ? undefined : String(shade);
  if (element.dataset['shade'] === shaded) return;
  if (shaded === undefined) delete element.dataset['shade'];
  else element.dataset['shade'] = shaded;
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
