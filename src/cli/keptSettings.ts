/** Results that a trace keeps of an analysis with other settings than those asked for, as the options that show them. */

import { isDeepStrictEqual } from 'node:util';
import { parametersOf, type AnalysisName } from '../analysis/table.ts';
import { otherVersion, type AnalysisKey } from '../trace/analyses.ts';
import type { KeptAnalysis, Trace } from '../trace/schema.ts';
import { quoted } from './quoted.ts';

/** "--set words=5"; "none" where all is as by default. Empty where nothing is kept. */
export function otherSettings({ analyses = [] }: Trace, { method }: AnalysisKey): string[] {
  const whole = analyses.filter(
    (kept) => kept.method === method && kept.status === 'complete' && otherVersion(kept) === undefined,
  );
  return whole.map((kept) => optionsOf(method, kept));
}

function optionsOf(method: AnalysisName, { parameters, other }: KeptAnalysis): string {
  const defaults: Record<string, unknown> = { ...parametersOf(method, {}) };
  const options = Object.entries(parameters)
    .filter(([name, value]) => !isDeepStrictEqual(value, defaults[name]))
    .map(([name, value]) => optionOf(name, value));
  if (other !== undefined) options.push(`--other with the trace of run ${other}`);
  return options.length === 0 ? 'none' : options.join(' ');
}

/** Truth and region have options of their own, in which people say them otherwise. */
function optionOf(name: string, value: unknown): string {
  if (name === 'region') return `--region ${(value as number[]).map((corner) => corner + 1).join(',')}`;
  if (name === 'truth') {
    const { map, answer } = value as { map?: unknown; answer?: string };
    return map === undefined && answer !== undefined ? `--truth ${quoted(answer)}` : '--samples FILE';
  }
  return `--set ${quoted(`${name}=${JSON.stringify(value)}`)}`;
}
