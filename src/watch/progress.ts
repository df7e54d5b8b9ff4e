/** Pace of a run by its metrics: throughput, time left, smoothed curves. */

import type { Metric } from './metrics.ts';

/** Steps that say how fast a run is now. */
const RECENT = 50;
/** Too few of them to say what most are. */
const FEW = 10;
/** A step that took this many times the usual was a pause or a restart. */
const PAUSE = 10;

interface Progress {
  /** Of the last steps. */
  samplesPerSecond: number;
  /** Absent until two steps in a row have been seen. */
  secondsLeft?: number;
}

/**
 * @param metrics in order; the last ones are enough
 * @param steps the run's last step
 */
export function progressOf(metrics: readonly Metric[], steps: number): Progress | undefined {
  const last = metrics.at(-1);
  if (last === undefined) return undefined;
  const recent = metrics.slice(-RECENT);
  const samplesPerSecond = mean(recent.slice(-10).map((metric) => metric.samplesPerSecond));
  const seconds = stepSeconds(recent);
  return {
    samplesPerSecond,
    ...(seconds !== undefined && { secondsLeft: Math.max(0, steps - last.step) * seconds }),
  };
}

/** How many of the last steps were left out, and whether most were: such a run learns from the others alone. */
export function leftOutOf(metrics: readonly Metric[]): { leftOut: number; of: number; most: boolean } {
  const recent = metrics.slice(-RECENT);
  const leftOut = recent.filter((metric) => metric.leftOut).length;
  return { leftOut, of: recent.length, most: recent.length >= FEW && 2 * leftOut >= recent.length };
}

/** 75 → "1 min 15 s" */
export function timeText(seconds: number): string {
  // A sum of fractions may lie a hair above a whole second.
  const whole = Math.ceil(seconds - 1e-6);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/**
 * Exponential moving average over the steps, without the bias of its beginning.
 * @param weight of the past; 0 changes nothing
 */
export function smoothed(values: readonly number[], weight: number): number[] {
  let [sum, share] = [0, 0];
  return values.map((value) => {
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return sum / share;
  });
}

/** From one step's end to the next, saving and looking included, pauses not. */
function stepSeconds(metrics: readonly Metric[]): number | undefined {
  const times = metrics.slice(1).flatMap(({ step, time }, i) => {
    const before = metrics[i]!;
    const seconds = (Date.parse(time) - Date.parse(before.time)) / 1000 / (step - before.step);
    return Number.isFinite(seconds) && seconds >= 0 ? [seconds] : [];
  });
  if (times.length === 0) return undefined;
  const usual = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
  return mean(times.filter((seconds) => seconds <= PAUSE * usual));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
