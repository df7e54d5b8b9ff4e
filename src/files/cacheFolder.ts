/** Where a user's programs keep what they can make again: XDG on Linux, and what macOS and Windows have for it. */

import { homedir } from 'node:os';
import path from 'node:path';

/**
 * @param env,platform,home for tests
 * @returns an absolute path; the folder need not exist
 */
export function userCacheFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home = homedir(),
): string {
  if (platform === 'darwin') return path.join(home, 'Library', 'Caches', 'ilvr-inspector');
  if (platform === 'win32') {
    const local = env['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local');
    return path.join(local, 'ilvr-inspector', 'Cache');
  }
  // The specification says that a relative path counts for nothing.
  const xdg = env['XDG_CACHE_HOME'];
  const root = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(home, '.cache');
  return path.join(root, 'ilvr-inspector');
}

/** The user's folder of quantised weights, unless a caller names another. */
export function weightsCacheFolder(): string {
  return path.join(userCacheFolder(), 'weights');
}
