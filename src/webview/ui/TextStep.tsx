/** One line of the answer, token by token. */

import type { VNode } from 'preact';
import type { Step } from '../../trace/steps.ts';
import { strength } from '../logic/brushing.ts';
import { number, percent, tokenLabel } from '../logic/format.ts';
import type { Scene } from './scene.ts';

interface TextStepProps {
  step: Extract<Step, { kind: 'text' }>;
  scene: Scene;
}

export function TextStep({ step, scene }: TextStepProps): VNode {
  const tokens = [];
  for (let i = step.first; i <= step.last; i++) {
    tokens.push(<Token key={i} index={i} isFirst={i === step.first} scene={scene} />);
  }
  return (
    <>
      <span class="step-number dim">{step.number}</span>
      <p class="step-line">{tokens}</p>
    </>
  );
}

function Token({ index, isFirst, scene }: { index: number; isFirst: boolean; scene: Scene }): VNode {
  const { trace, view, shown, brush, dispatch, hoverToken } = scene;
  const token = trace.tokens[index]!;
  const amount = brush?.tokens.get(index);
  const strong = strength(brush, 'tokens', index);
  const facts = [
    `Token ${tokenLabel(token)}`,
    token.probability === undefined ? undefined : `probability ${percent(token.probability)}`,
    token.forced ? 'forced' : undefined,
    amount === undefined ? undefined : `${brush!.title.toLowerCase()}: ${number(amount)}`,
    token.attention === undefined ? 'no attention stored' : undefined,
  ].filter((fact) => fact !== undefined);
  // Without latents the first token is how the keyboard gets into the steps.
  const isOnlyStop = view.token === undefined && shown.latentIndex < 0 && index === 0;
  const line = token.text.replace(/\n+$/, '');
  // The blank before a line's first word would set the line off from the others.
  const visible = isFirst ? line.trimStart() : line;
  return (
    <span
      id={`token-${index}`}
      class="token"
      role="button"
      tabIndex={view.token === index || isOnlyStop ? 0 : -1}
      aria-label={facts.join(', ')}
      aria-pressed={view.token === index}
      title={facts.join('\n')}
      style={{ '--strength': strong.toFixed(3) }}
      onPointerEnter={() => hoverToken(index)}
      onPointerLeave={() => hoverToken(undefined)}
      onClick={() => dispatch({ type: 'token', token: view.token === index ? undefined : index })}
    >
      {visible}
      {line === token.text ? '' : <span class="newline">↵</span>}
    </span>
  );
}
