/** The webview's side of VS Code: messages to the extension host and a state that survives reloads. */

import { packed } from '../protocol/pack.ts';
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
export const channel: Channel = packed({
  post: (message) => api.postMessage(message),
  on: (listener) => window.addEventListener('message', ({ data }: MessageEvent<unknown>) => listener(data)),
});

export function storedState(): unknown {
  return api.getState();
}

export function storeState(state: unknown): void {
  api.setState(state);
}
