/** The width that a drawing may take. */

import { useLayoutEffect, useState } from 'preact/hooks';

/** Width of an element in CSS pixels, as it changes. */
export function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  return width;
}
