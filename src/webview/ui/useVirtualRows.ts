/** A list that keeps only those rows in the page that are near what is seen of it, and those that are pinned. */

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  defaultRangeExtractor,
  type VirtualItem,
} from '@tanstack/virtual-core';
import { useLayoutEffect, useReducer, useState } from 'preact/hooks';

interface RowOptions {
  /** What scrolls. */
  box: { current: HTMLElement | null };
  count: number;
  keyOf: (index: number) => number;
  /** Height in CSS pixels until the row has been measured. */
  estimate: (index: number) => number;
  /** Rows that stay in the page: the focus may be in them. */
  pinned: readonly number[];
}

export interface VirtualRows {
  items: VirtualItem[];
  /** Height of all rows, in CSS pixels. */
  total: number;
  /** Of every row's element, whose `data-index` says which it is. */
  measure: (element: HTMLElement | null) => void;
}

/** Rows kept ready beyond each end of what is seen. */
const OVERSCAN = 1;

export function useVirtualRows({ box, count, keyOf, estimate, pinned }: RowOptions): VirtualRows {
  const [, redraw] = useReducer((times: number) => times + 1, 0);
  const options = {
    count,
    getItemKey: keyOf,
    estimateSize: estimate,
    getScrollElement: () => box.current,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    overscan: OVERSCAN,
    rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) => {
      const seen = defaultRangeExtractor(range);
      const more = [...new Set(pinned)].filter(
        (index) => index >= 0 && index < count && !seen.includes(index),
      );
      return more.length === 0 ? seen : [...seen, ...more].toSorted((a, b) => a - b);
    },
    onChange: () => redraw(0),
    // Before the first layout there is no size yet, and a list without rows would never get one.
    initialRect: { width: 400, height: 600 },
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtualizer.setOptions(options);
  // The names that the library gives to what its own bindings call, for React and others.
  // oxlint-disable no-underscore-dangle
  useLayoutEffect(() => virtualizer._didMount(), []);
  useLayoutEffect(() => virtualizer._willUpdate());
  // oxlint-enable no-underscore-dangle
  return {
    items: virtualizer.getVirtualItems(),
    total: virtualizer.getTotalSize(),
    measure: virtualizer.measureElement,
  };
}
