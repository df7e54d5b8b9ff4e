/** What is drawn of what is wished: the wished target once its slices are at hand, until then the one before it. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Trace } from '../../trace/schema.ts';
import { aheadOf } from '../logic/ahead.ts';
import { needsOf } from '../logic/needs.ts';
import type { Gaze, Target } from '../logic/gaze.ts';
import { kept, readinessOf, targetOf } from '../logic/target.ts';
import type { PanelModel } from '../panelModel.ts';

/**
 * So long the last picture stays as it is. Then a mark says that something is being read, and the picture follows
 * even if what stands around it is not there yet.
 */
const PATIENCE_MS = 150;

/** After so long without a key the reader rests: what the next one may ask for is read ahead, and words are named anew. */
export const REST_MS = 250;

export interface Drawn {
  target: Target;
  /** The reader has been waiting for a while. */
  busy: boolean;
}

/** Asks the model for what the gaze needs, and says what to draw meanwhile; undefined without a trace. */
export function useTarget(model: PanelModel, gaze: Gaze): Drawn | undefined {
  const { maps, version } = model;
  const { trace } = model.state;
  const last = useRef<Target | undefined>(undefined);
  const [late, setLate] = useState(false);
  const wished = trace && maps && targetOf(trace, maps, gaze);
  const ready = wished && readinessOf(trace, maps, wished, last.current);
  useEffect(() => {
    if (trace === undefined || maps === undefined || wished === undefined) return undefined;
    const { picture, around } = needsOf(trace, maps, wished);
    const needed = [...picture, ...around];
    model.want(needed, []);
    demandPicture(model, wished);
    const timer = setTimeout(() => model.want(needed, aheadOf(trace, maps, wished)), REST_MS);
    return () => clearTimeout(timer);
  }, [model, trace, maps, version, gaze.view, gaze.token, gaze.pointed]);
  const waits = ready?.whole === false;
  useEffect(() => {
    setLate(false);
    if (!waits) return undefined;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [waits]);
  if (trace === undefined || maps === undefined || wished === undefined) {
    last.current = undefined;
    return undefined;
  }
  return { target: drawnOf(trace, last, wished, ready!, late), busy: waits && late };
}

function drawnOf(
  trace: Trace,
  last: { current: Target | undefined },
  wished: Target,
  { picture, whole }: { picture: boolean; whole: boolean },
  late: boolean,
): Target {
  const before = last.current?.run === trace.id ? last.current : undefined;
  if (whole || (picture && late) || before === undefined) return (last.current = wished);
  return (last.current = kept(trace, before, wished));
}

function demandPicture(model: PanelModel, { shown }: Target): void {
  if (shown.picture !== undefined) model.pictures.need(shown.picture.id);
}
