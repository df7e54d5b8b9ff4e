/** The room that a drawing may take. */

import { useLayoutEffect, useState } from 'preact/hooks';

export interface Room {
  width: number;
  height: number;
}

/** Inner size of an element in CSS pixels, as it changes. */
export function useSize(box: { current: HTMLElement | null }): Room {
  const [room, setRoom] = useState<Room>({ width: 600, height: 300 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = (): void => setRoom({ width: element.clientWidth, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  return room;
}
