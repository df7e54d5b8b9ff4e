/** The webview's side of VS Code: messages to the extension host and a state that survives reloads. */

import type { Channel } from '../protocol/rpc.ts';

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** May be acquired once per page only. */
const api = acquireVsCodeApi();

/** Messages to and from the extension host. */
export const channel: Channel = {
  post: (message) => api.postMessage(message),
  on: (listener) =>
    window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      // Only our RPC's messages: VS Code and extensions of the browser may post others.
      if (typeof data === 'object' && data !== null) listener(data);
    }),
};

export function storedState(): unknown {
  return api.getState();
}

export function storeState(state: unknown): void {
  api.setState(state);
}
