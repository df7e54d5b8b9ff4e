/** Pictures dropped anywhere on the panel become helper images. */

import { useEffect, useRef, useState } from 'preact/hooks';

export interface DroppedFile {
  name: string;
  bytes: Uint8Array;
}

/** @returns whether something is being dragged over the panel */
export function usePictureDrop(enabled: boolean, add: (files: DroppedFile[]) => void): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(add);
  latest.current = add;
  useEffect(() => {
    if (!enabled) return undefined;
    const drag = (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      setOver(event.type === 'dragover');
    };
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      setOver(false);
      const pictures = [...(event.dataTransfer?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
      if (pictures.length === 0) return;
      const read = pictures.map(async (file) => ({
        name: file.name,
        bytes: new Uint8Array(await file.arrayBuffer()),
      }));
      void Promise.all(read).then((files) => latest.current(files));
    };
    const listeners = { dragover: drag, dragleave: drag, drop };
    for (const [type, listener] of Object.entries(listeners))
      window.addEventListener(type, listener as EventListener);
    return () => {
      for (const [type, listener] of Object.entries(listeners))
        window.removeEventListener(type, listener as EventListener);
    };
  }, [enabled]);
  return over;
}
