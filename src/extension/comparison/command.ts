/** "Compare": two runs of the view, two files of the explorer, or what is in front and another that is chosen. */

import * as vscode from 'vscode';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { runOf } from '../run/runCommands.ts';
import type { RunStore } from '../run/store.ts';
import type { ActiveTrace } from '../trace/active.ts';
import type { TraceRef } from '../trace/library.ts';
import { chooseTrace } from '../trace/openCommand.ts';
import type { ComparisonPanels, ComparisonResult } from './panels.ts';

/** Third argument of `ilvr.compare` when it is called from code. */
const compareOptions = z.object({ divergence: z.boolean().optional() });

export interface CompareServices {
  panels: ComparisonPanels;
  active: ActiveTrace;
  runStore: RunStore;
  /** Runs that are selected in the view "Runs". */
  selectedRuns: () => readonly string[];
}

export class CompareCommand {
  private readonly services: CompareServices;

  constructor(services: CompareServices) {
    this.services = services;
  }

  /**
   * @param target the line or file that was clicked, or from code a run's id or a file
   * @param selected all that are selected, as menus pass it; or from code the other one
   * @param options from code: what is wanted; the comparison is then the answer
   */
  async compare(
    target?: unknown,
    selected?: unknown,
    options?: unknown,
  ): Promise<ComparisonResult | undefined> {
    const given = Array.isArray(selected) ? (selected as unknown[]) : [target, selected];
    const named = given.flatMap((value) => refIn(value) ?? []);
    const refs = named.length > 0 ? named : this.inFront();
    if (refs.length > 2) {
      throw new UserError({
        problem: 'Two runs can be compared',
        found: `${refs.length} that are selected`,
        remedy: 'Select two runs, or two traces in the explorer.',
      });
    }
    const [a, b] = refs;
    if (a !== undefined && b === undefined) await this.compareWith(a);
    if (a === undefined || b === undefined) return undefined;
    const page = await this.services.panels.open({ a, b });
    const wanted = compareOptions.safeParse(options);
    return wanted.success ? page.result(wanted.data) : undefined;
  }

  /** Asks with which. */
  async compareWith(a: TraceRef): Promise<void> {
    const b = await chooseTrace(this.services.runStore, vscode.l10n.t('Compare with which run?'));
    if (b !== undefined) await this.services.panels.open({ a, b });
  }

  /** The runs that are selected in the view, else the trace in front. */
  private inFront(): TraceRef[] {
    const { selectedRuns, active } = this.services;
    const selected = selectedRuns().map((run) => ({ run }));
    if (selected.length > 1) return selected;
    const ref = active.current() ?? selected[0];
    if (ref !== undefined) return [ref];
    throw new UserError({
      problem: 'No run is selected and no trace is open',
      remedy: 'Select two runs in the view "Runs", or two traces in the explorer.',
    });
  }
}

function refIn(target: unknown): TraceRef | undefined {
  const run = runOf(target);
  if (run !== undefined) return { run };
  return target instanceof vscode.Uri && target.path.endsWith('.json') ? { file: target } : undefined;
}
