/**
 * Claims that the figures on the bundled models' cards come out of the table of samples, and of `ilvr evaluate`. Some minutes
 * each, so they are made where ILVR_FULL is set, one model at a time: a session of the host ends after ten minutes.
 *
 *     ILVR_FULL=1 ILVR_HOST_GREP='cards: .*maze' npx tsx scripts/host/runTests.ts
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { effectsOf, type FedResults } from '../../../src/evaluation/comparison.ts';
import { USUAL } from '../../../src/evaluation/fed.ts';
import { figuresOf } from '../../../src/evaluation/figures.ts';
import { passPath, readResults } from '../../../src/evaluation/results.ts';
import { interval } from '../../../src/evaluation/words.ts';
import type { EvaluateOutcome } from '../../../src/extension/evaluation/command.ts';
import type { DeclareClaim } from './claims.ts';
import { bundled, extension, file, inspector } from './inspector.ts';

const HOUR_MS = 3_600_000;

/** `ilvr` as the extension's own process of evaluations runs it. */
async function ilvr(...args: string[]): Promise<string> {
  const cli = join(extension().extensionPath, 'dist/cli.cjs');
  const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], {
    env,
    maxBuffer: 2 ** 26,
  });
  return stdout;
}

/** The usual replacements by the table of samples; the command line has to print the same. */
async function evaluated(
  name: string,
  samples: vscode.Uri,
  { limit, more = [] }: { limit?: number; more?: readonly string[] } = {},
): Promise<FedResults[]> {
  const settings = { device: 'cpu', model: bundled(name) };
  const few = limit === undefined ? {} : { limit };
  const only = limit === undefined ? [] : ['--limit', String(limit)];
  const wanted = ['--model', bundled(name), '--device', 'cpu', '--intervene', 'all', '--table', 'csv'];
  const [{ finished, results }, printed] = await Promise.all([
    vscode.commands.executeCommand<EvaluateOutcome>('ilvr.evaluate', samples, {
      passes: 'all',
      settings,
      ...few,
    }),
    ilvr('evaluate', samples.fsPath, ...wanted, ...only, ...more),
  ]);
  assert.equal(finished, true);
  const table = (await inspector()).samplesTable(samples)!.figures('csv');
  console.log(`${name}\n${table}`);
  // A terminal has its own ends of lines.
  assert.equal(printed, table.replaceAll('\r\n', '\n'));
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  return Promise.all(
    USUAL.map(async (fed) => ({
      fed,
      results: [...(await readResults(passPath(results, fed))).results.values()],
    })),
  );
}

async function drawn(folder: string, ...args: string[]): Promise<vscode.Uri> {
  await ilvr(args[0]!, file(folder).fsPath, '--split', 'held-out', ...args.slice(1));
  return file(`${folder}/samples.jsonl`);
}

const drawnMaps = (): Promise<vscode.Uri> => drawn('maps', 'generate-maps', '--count', '100', '--seed', '81');

function assertOnCard(name: string, wanted: readonly string[]): void {
  const card = readFileSync(join(bundled(name), 'README.md'), 'utf8');
  for (const text of wanted) assert.ok(card.includes(text), `the card of ${name} has not: ${text}`);
}

/** "99 (94.6 to 99.8 %) | 24/25 | 25/25 | 25/25 | 25/25" */
function onMaps({ results }: FedResults): string {
  const { all, sizes } = figuresOf(results);
  const cells = sizes.map(({ share: { right, of } }) => `${right}/${of}`);
  return [`${all.right} (${interval(all)})`, ...cells].join(' | ');
}

/** Of the model of worlds; longer walks are looked at on fewer worlds. */
const TRAINED_MOVES = 6;

const ROWS = ['its own', 'zeroed', 'noise of equal norm', "another map's", 'markers only'];

export function suite(declare: DeclareClaim): void {
  if (process.env['ILVR_FULL'] === undefined) return;
  const claim = (name: string, body: () => Promise<void>): void =>
    declare(`the card's figures come out of the table: ${name}`, body, { timeoutMs: HOUR_MS });

  claim('maze', async () => {
    const passes = await evaluated('maze', await drawnMaps());
    const changed = ['', ...effectsOf(passes).map((effect) => `${effect.changed} `)];
    assertOnCard(
      'maze',
      passes.map((pass, i) => `| ${ROWS[i]} | ${onMaps(pass)} | ${changed[i]}|\n`),
    );
  });

  claim('control-carrying', async () => {
    const passes = await evaluated('control-carrying', await drawnMaps());
    assertOnCard(
      'control-carrying',
      passes.map((pass, i) => `| ${ROWS[i]} | ${onMaps(pass)} |\n`),
    );
  });

  claim('control-bypassed', async () => {
    const passes = await evaluated('control-bypassed', await drawnMaps());
    for (const { changed } of effectsOf(passes)) assert.equal(changed, 0);
    const { all, sizes } = figuresOf(passes[0]!.results);
    const rights = sizes.map(({ share }) => share.right);
    const bySize = `${rights.slice(0, -1).join(', ')} and ${rights.at(-1)} of 25 for 3×3 to 6×6`;
    assertOnCard('control-bypassed', [`the same ${all.right} of ${all.of} (${interval(all)}; ${bySize})`]);
  });

  claim('worlds', async () => {
    const kind = ['--sizes', '4', '--dynamics', 'swaps', '--questions', 'state', '--style', '1'];
    for (const moves of [1, 2, 3, 4, 5, 6, 8]) {
      const more = ['--count', '100', '--moves', String(moves), '--cell', '28', '--seed', '90210'];
      const samples = await drawn(`worlds-${moves}`, 'generate-worlds', ...kind, ...more);
      const few = moves <= TRAINED_MOVES ? {} : { limit: 50 };
      const passes = await evaluated('worlds', samples, { ...few, more: ['--sample-questions'] });
      const cells = passes.map(({ results }) => {
        const { all } = figuresOf(results);
        return `${all.right} of ${all.of} (${interval(all)})`;
      });
      assertOnCard('worlds', [`| ${[moves, ...cells].join(' | ')} |\n`]);
    }
  });
}
