/** "Manage packed weights": the caches with their sizes, and removing them one by one. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { inBytes } from '../process/memory.ts';
import { listCaches, removeCache, type ListedCache } from '../quantise/cacheList.ts';
import { formatLabel } from '../tensor/weightFormat.ts';
import { choose, showInformation, type Choice } from './window.ts';

interface CacheItem extends Choice {
  /** Absent: all of them. */
  cache?: ListedCache;
}

/**
 * Lists them until the list is left.
 * @param folder of the extension's caches
 * @returns the files that were removed
 */
export async function manageCaches(folder: string): Promise<string[]> {
  const gone: string[] = [];
  for (;;) {
    const caches = await listCaches(folder);
    if (caches.length === 0) {
      await showInformation(
        vscode.l10n.t('There are no packed weights: models are packed on first use.'),
        [],
      );
      return gone;
    }
    const picked = await choose(itemsOf(caches), {
      title: vscode.l10n.t('Packed weights: {0}', inBytes(sizeOf(caches))),
      placeholder: vscode.l10n.t('Which to remove? They are packed again when the model is next opened so.'),
      matchOnDetail: true,
    });
    if (picked === undefined) return gone;
    const removed = picked.cache === undefined ? caches : [picked.cache];
    if (!(await isSure(removed))) continue;
    for (const cache of removed) {
      await removeCache(cache);
      gone.push(cache.file);
    }
  }
}

function itemsOf(caches: readonly ListedCache[]): CacheItem[] {
  const items: CacheItem[] = caches.map((cache) => ({
    label: `${nameOf(cache)} · ${inBytes(cache.bytes)}`,
    description: stateOf(cache),
    detail: cache.model ?? cache.file,
    icon: 'database',
    cache,
  }));
  const all = { label: vscode.l10n.t('Remove all: {0}', inBytes(sizeOf(caches))), icon: 'trash' };
  return caches.length > 1 ? [...items, all] : items;
}

function nameOf({ model, scheme, file }: ListedCache): string {
  if (model === undefined || scheme === undefined) return basename(file);
  return `${basename(model)} · ${formatLabel(scheme)}`;
}

function stateOf({ partial, orphaned, scheme }: ListedCache): string {
  if (scheme === undefined) return vscode.l10n.t('of another version, or damaged');
  if (partial) return vscode.l10n.t('a part: packing was stopped');
  return orphaned ? vscode.l10n.t('its model is gone') : '';
}

async function isSure(caches: readonly ListedCache[]): Promise<boolean> {
  const [first] = caches;
  const what = caches.length === 1 ? nameOf(first!) : vscode.l10n.t('all {0}', caches.length);
  const choices = [
    { label: vscode.l10n.t('Remove {0}, {1}', what, inBytes(sizeOf(caches))), icon: 'trash', sure: true },
    { label: vscode.l10n.t('Keep'), sure: false },
  ];
  return (await choose(choices, { title: vscode.l10n.t('Remove packed weights?') }))?.sure === true;
}

function sizeOf(caches: readonly ListedCache[]): number {
  return caches.reduce((sum, { bytes }) => sum + bytes, 0);
}
