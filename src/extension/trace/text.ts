/**
 * A trace as text: a few lines about the run, then one line per step. The lines know what they show,
 * so that hovers, the outline and links find it by position. Knows nothing of VS Code.
 *
 *     Find a safe path to the goal.
 *     …
 *      1  Start (2,2), goal (1,1).
 *      2  left
 *      3  ◆ block 1 · 8 latents · of fixed length · mass on image 0.41 · 1:0.40 2:0.42 …
 */

import { plural, t } from '../../base/l10n.ts';
import { oneLine } from '../../base/plainText.ts';
import { computedIn } from '../../tensor/weightFormat.ts';
import { statedAnswer } from '../../trace/answer.ts';
import { openingOf } from '../../trace/opening.ts';
import { describeProtocol } from '../../trace/protocolWords.ts';
import type { Trace, TraceLatent } from '../../trace/schema.ts';
import {
  blocksText,
  describeEnd,
  describeReach,
  describeStatus,
  stepsOf,
  type Step,
} from '../../trace/steps.ts';

/** Where a latent stands in its block's line. */
export interface LatentSpan {
  latent: TraceLatent;
  start: number;
  end: number;
}

export interface TraceLine {
  text: string;
  /** Absent on the lines about the run and on blank ones. */
  step?: Step;
  /** 1-based. */
  number?: number;
  latents: LatentSpan[];
}

/** All lines of the document; each text is one, whatever names and tokens hold, as hovers go by the line. */
export function traceLines(trace: Trace): TraceLine[] {
  const header = headerOf(trace).map((text) => ({ text: oneLine(text), latents: [] }));
  const steps = stepsOf(trace).map((step) => lineOf(trace, step));
  return [...header, { text: '', latents: [] }, ...steps];
}

/** Share of a latent's attention on all pictures, in the layer whose latents look most, heads averaged; NaN where it is not known. */
export function pictureMass(trace: Trace, latent: TraceLatent): number {
  return openingOf(trace).look(trace.tokens[latent.token])?.mass.pictures ?? NaN;
}

/** The lines about the run: what was asked, of which model, on which device, how it ended. */
export function headerOf(trace: Trace): string[] {
  const { model, device, settings, tokens } = trace;
  const sampling = settings.temperature === 0 ? t('greedy') : t('temperature {0}', settings.temperature);
  const parameters = t('{0} M parameters', (model.parameters / 1e6).toFixed(1));
  const length = plural(tokens.length, '{0} token', '{0} tokens');
  const older = t(settings.latents === 'forced' ? 'latents forced' : 'latents free');
  const ending = model.protocol ? describeProtocol(model.protocol) : older;
  const seed = t('seed {0}', settings.seed);
  return [
    `# ${trace.question}`,
    `# ${model.name} · ${parameters}, ${model.dtype}${computedIn(model.weights)} · ${device.provider} (${device.name})`,
    ...(model.notes ?? []).map((note) => `# ${note}`),
    ...(model.latentReach === undefined ? [] : [`# ${describeReach(model.latentReach)}`]),
    `# ${blocksText(trace)} · ${length} · ${ending} · ${sampling}, ${seed}`,
    ...(settings.notes ?? []).map((note) => `# ${note}`),
    ...answerLine(trace),
    `# ${describeStatus(trace.status)}${trace.failure === undefined ? '' : `: ${trace.failure}`} · ${trace.createdAt} · ${t('run {0}', trace.id)}`,
  ];
}

/** The answer, and whether it is right, where there is one. */
function answerLine(trace: Trace): string[] {
  const answer = statedAnswer(trace);
  if (answer === undefined) return [];
  const { verdict } = trace;
  const judged = verdict && ` · ${t(verdict.right ? 'right' : 'wrong')} (${verdict.source})`;
  return [`# ${t('answer {0}', answer)}${judged ?? ''}`];
}

function lineOf(trace: Trace, step: Step): TraceLine {
  const { number } = step;
  const lead = `${String(number).padStart(3)}  `;
  if (step.kind === 'text') return { text: lead + oneLine(step.text.trim()), step, number, latents: [] };
  const { block, latents } = step;
  const masses = latents.map((latent) => pictureMass(trace, latent));
  const known = masses.filter((mass) => !Number.isNaN(mass));
  const mean = known.reduce((sum, mass) => sum + mass, 0) / known.length;
  const facts = [
    `${lead}◆ ${t('block {0}', block.index + 1)}`,
    plural(block.latents, '{0} latent', '{0} latents'),
    describeEnd(block.ended, trace.model),
    ...(known.length > 0 ? [t('mass on image {0}', mean.toFixed(2))] : []),
  ];
  let text = facts.join(' · ');
  const spans = latents.map((latent, i) => {
    text += i === 0 ? ' · ' : ' ';
    const start = text.length;
    text += `${latent.index + 1}:${Number.isNaN(masses[i]) ? '…' : masses[i]!.toFixed(2)}`;
    return { latent, start, end: text.length };
  });
  return { text, step, number, latents: spans };
}
