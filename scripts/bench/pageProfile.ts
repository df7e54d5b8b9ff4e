/**
 * Where the time of a page's main thread goes: script by function, as the browser's profiler samples it, and everything
 * else (style, layout, painting) as the browser's own trace has it. Times of the trace are CPU time of the thread.
 */

import type { CDPSession } from 'playwright-core';

export interface PageProfile {
  /** Milliseconds by function and place, without what it calls; the largest first. */
  functions: [name: string, ms: number][];
  /** Milliseconds of the main thread by kind of work, without what is within it; the largest first. */
  work: [name: string, ms: number][];
  /** How often each kind was begun. */
  counts: ReadonlyMap<string, number>;
}

/** Microseconds between two samples. */
const SAMPLING_US = 200;
const CATEGORIES = ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink', 'v8', 'cc'];

/** Profiles the page while `work` goes on. */
export async function profiled(session: CDPSession, work: () => Promise<void>): Promise<PageProfile> {
  const events: TraceEvent[] = [];
  const collect = ({ value }: { value: object[] }): void => void events.push(...(value as TraceEvent[]));
  session.on('Tracing.dataCollected', collect);
  await session.send('Profiler.enable');
  await session.send('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: CATEGORIES, excludedCategories: ['*'] },
  });
  await session.send('Profiler.start');
  await work();
  const { profile } = await session.send('Profiler.stop');
  const ended = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await ended;
  session.off('Tracing.dataCollected', collect);
  return { functions: functionsOf(profile), ...workOf(events) };
}

/** The profile as lines, each figure divided by the number of presses. */
export function profileLines({ functions, work, counts }: PageProfile, presses: number, most = 24): string[] {
  const line = ([name, ms]: [string, number]): string =>
    `      ${(ms / presses).toFixed(2).padStart(7)}  ${name}`;
  return [
    '    ms a press, by kind of work',
    ...work
      .slice(0, most)
      .map(([name, ms]) => `${line([name, ms])} (${((counts.get(name) ?? 0) / presses).toFixed(1)} times)`),
    '    ms a press, by function (sampled, all that it took of the clock)',
    ...functions.slice(0, most).map(line),
  ];
}

interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    children?: number[];
  }[];
  samples?: number[];
  timeDeltas?: number[];
}

/** The browser's own functions are told with who of ours called them. */
function functionsOf({ nodes, samples = [], timeDeltas = [] }: CpuProfile): [string, number][] {
  const names = new Map<number, string>();
  const named = (node: CpuProfile['nodes'][number], caller: string): void => {
    const { functionName, url, lineNumber } = node.callFrame;
    const own = functionName || '(anonymous)';
    const name = url === '' ? `${own}${caller}` : `${own} ${url.split('/').at(-1)}:${lineNumber + 1}`;
    names.set(node.id, name);
    const next = url === '' ? caller : ` < ${name}`;
    for (const child of node.children ?? []) named(byId.get(child)!, next);
  };
  const byId = new Map(nodes.map((node) => [node.id, node]));
  if (nodes[0] !== undefined) named(nodes[0], '');
  const sums = new Map<string, number>();
  samples.forEach((id, i) => add(sums, names.get(id) ?? '', (timeDeltas[i] ?? 0) / 1000));
  return largestFirst(sums).filter(([name]) => !/^\((idle|program|root)\)/.test(name));
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  /** Of the clock, and of the thread's own; microseconds. */
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/** Self times of the events of the thread on which the page's script runs. */
function workOf(events: readonly TraceEvent[]): Pick<PageProfile, 'work' | 'counts'> {
  const busiest = new Map<string, number>();
  const thread = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`;
  for (const event of events) if (event.name === 'FunctionCall') add(busiest, thread(event), event.dur ?? 0);
  const main = largestFirst(busiest)[0]?.[0];
  const own = events
    .filter((event) => event.ph === 'X' && thread(event) === main)
    .toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const sums = new Map<string, number>();
  const counts = new Map<string, number>();
  const open: { name: string; end: number }[] = [];
  for (const { name, ts, dur = 0, tdur = dur } of own) {
    while (open.length > 0 && open.at(-1)!.end <= ts) open.pop();
    add(sums, name, tdur / 1000);
    add(counts, name, 1);
    if (open.length > 0) add(sums, open.at(-1)!.name, -tdur / 1000);
    open.push({ name, end: ts + dur });
  }
  return { work: largestFirst(sums), counts };
}

function add(sums: Map<string, number>, name: string, value: number): void {
  sums.set(name, (sums.get(name) ?? 0) + value);
}

function largestFirst(sums: ReadonlyMap<string, number>): [string, number][] {
  return [...sums].toSorted((a, b) => b[1] - a[1]);
}
