/** A run, what it branched from, and all that branched from that. Knows nothing of VS Code. */

import { t } from '../../base/l10n.ts';
import type { FamilyMember } from '../../protocol/panel.ts';
import type { Trace } from '../../trace/schema.ts';
import { summaryOf, type RunSummary } from './summary.ts';

/** Of a tree that is shown; more are in the view of runs. */
const MOST = 40;

/**
 * As a tree read from above, oldest first.
 * @param trace of the run, which may not be kept yet
 */
export function familyOf(run: string, trace: Trace | undefined, kept: readonly RunSummary[]): FamilyMember[] {
  const own = trace === undefined ? [] : [summaryOf(trace)];
  const all = new Map([...kept, ...own].map((summary) => [summary.id, summary]));
  let root = all.get(run);
  if (root === undefined) return [];
  // A damaged summary may lead in a circle.
  for (const seen = new Set([root.id]); root.branch !== undefined; seen.add(root.id)) {
    const parent = all.get(root.branch.parent);
    if (parent === undefined || seen.has(parent.id)) break;
    root = parent;
  }
  const members: FamilyMember[] = [];
  const add = (summary: RunSummary, depth: number): void => {
    if (members.length >= MOST || members.some((member) => member.run === summary.id)) return;
    const { id, branch, answer } = summary;
    const label = branch?.what ?? t('the first run');
    members.push({ run: id, label, depth, ...(answer !== undefined && { answer }) });
    for (const child of childrenOf(id, [...all.values()])) add(child, depth + 1);
  };
  add(root, 0);
  return members;
}

/** Branches of a run, oldest first. */
export function childrenOf(run: string, among: readonly RunSummary[]): RunSummary[] {
  return among
    .filter(({ branch }) => branch?.parent === run)
    .toSorted((a, b) => a.createdAt.localeCompare(b.createdAt));
}
