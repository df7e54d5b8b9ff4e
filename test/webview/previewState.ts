/** What VS Code keeps of a page: it outlives a reload. */

const KEY = 'state';

export interface KeptState {
  get: () => unknown;
  set: (next: unknown) => void;
  /** Nothing is left of it when the page goes. */
  forget: () => void;
}

export function keptState(): KeptState {
  let state: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
  // Written when the page goes, not at every key: that would be VS Code's time, not the page's.
  window.addEventListener('pagehide', () => sessionStorage.setItem(KEY, JSON.stringify(state ?? null)));
  return {
    get: () => state,
    set: (next) => {
      state = next;
    },
    forget: () => {
      state = null;
    },
  };
}
