/**
 * Takes pictures of the real window: every scenario, in four themes and two sizes.
 *
 * Usage: npx tsx scripts/screenshots.ts [--theme dark]… [--size wide]… [--scenario reason]… [--retries 1] [--extension <folder>]
 *        npx tsx scripts/screenshots.ts --traces <folder> [--theme dark]… [--size wide]…
 *
 * With `--traces`, one of each trace file in a folder in place of the scenarios.
 *
 * Pictures go to `test-output/screenshots/<theme>/<scenario>-<size>-<step>.png`. A step that fails
 * leaves a picture of what was there instead and ends its scenario; the others still run. With `--retries 1` such a
 * scenario is played once more in a new window and fails only if it fails again; what it failed at first is told.
 */

import { cp, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { messageOf } from '../src/base/errors.ts';
import {
  defaultSize,
  launchBrowser,
  openFile,
  openWorkbench,
  runCommand,
  screenshot,
  type Size,
  webviewFrame,
} from './host/browser.ts';
import { repositoryRoot } from './host/repository.ts';
import { type Scenario, scenarios } from './host/scenarios.ts';
import { withScratch } from './host/scratch.ts';
import { startServer } from './host/server.ts';

/** Folder names and VS Code's theme ids. */
const themes: Record<string, string> = {
  light: 'Light Modern',
  dark: 'Dark Modern',
  'high-contrast': 'Default High Contrast',
  'high-contrast-light': 'Default High Contrast Light',
};

const sizes: Record<string, Size> = {
  wide: defaultSize,
  narrow: { width: 620, height: 900 },
};

/** Scenarios begun. */
let played = 0;

interface Plan {
  themes: string[];
  sizes: string[];
  scenarios: Scenario[];
  /** How often a scenario that failed is played again. */
  retries: number;
  /** Copied for each window, which opens the copy. */
  workspace: string;
  extension: string;
}

/** Runs the whole plan; returns what failed. */
async function takeScreenshots(plan: Plan): Promise<string[]> {
  const browser = await launchBrowser();
  const failures: string[] = [];
  try {
    for (const theme of plan.themes) {
      for (const size of plan.sizes) {
        for (const scenario of plan.scenarios) {
          played++;
          const playOnce = (): Promise<string | undefined> =>
            playInNewWindow(browser, plan, theme, size, scenario);
          let failure = await playOnce();
          for (let again = 0; failure !== undefined && again < plan.retries; again++) {
            console.log(`Played again: ${failure}`);
            failure = await playOnce();
          }
          if (failure !== undefined) failures.push(failure);
        }
      }
    }
  } finally {
    await browser.close();
  }
  return failures;
}

/** A fresh server and workspace for every series of pictures: one must not see another's state. */
function playInNewWindow(
  browser: Browser,
  { workspace, extension }: Plan,
  theme: string,
  size: string,
  scenario: Scenario,
): Promise<string | undefined> {
  return withScratch('ilvr-pictures-', async (scratch) => {
    const folder = join(scratch, 'examples');
    await cp(workspace, folder, { recursive: true });
    const server = await startServer({
      dataDir: join(scratch, 'data'),
      extensions: [extension],
      // With the driver, notifications would not show.
      smokeTestDriver: false,
      settings: { 'workbench.colorTheme': themes[theme], 'window.autoDetectColorScheme': false },
    });
    try {
      const page = await openWorkbench(browser, server.url, { folder, size: sizes[size] ?? defaultSize });
      if (size === 'narrow') await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
      const failure = await play(page, folder, scenario, `${theme}/${scenario.name}-${size}`);
      await page.context().close();
      return failure;
    } finally {
      await server.dispose();
    }
  });
}

/** Plays one scenario; returns the description of the step that failed, if any. */
async function play(
  page: Page,
  folder: string,
  scenario: Scenario,
  prefix: string,
): Promise<string | undefined> {
  for (const step of scenario.steps) {
    try {
      await step.run({ page, folder });
      console.log(await screenshot(page, `${prefix}-${step.name}`));
    } catch (error) {
      const picture = await screenshot(page, `${prefix}-${step.name}-failed`);
      return `${prefix}-${step.name}: ${messageOf(error).split('\n')[0]} (see ${picture})`;
    }
  }
  return undefined;
}

/** Opens each trace file of a folder in a window of its own. */
async function tracesIn(folder: string): Promise<Scenario[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ilvr.json'));
  return files.map((name) => ({
    name: name.replace('.ilvr.json', ''),
    steps: [
      {
        name: '1-opened',
        run: async ({ page }) => {
          await openFile(page, name);
          const frame = await webviewFrame(page);
          await frame.locator('#stage-picture').waitFor();
          await frame.waitForFunction(() => !document.body.textContent.includes('The map is being read.'));
        },
      },
    ],
  }));
}

/** The chosen names, all where none was chosen. */
function choose(kind: string, known: string[], chosen: string[] | undefined): string[] {
  const unknown = chosen?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`There is no ${kind} "${unknown}"; there are ${known.join(', ')}.`);
  return chosen ?? known;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      theme: { type: 'string', multiple: true },
      size: { type: 'string', multiple: true },
      scenario: { type: 'string', multiple: true },
      traces: { type: 'string' },
      retries: { type: 'string', default: '0' },
      extension: { type: 'string', default: repositoryRoot },
    },
  });
  const { traces } = values;
  const known = traces === undefined ? scenarios : await tracesIn(traces);
  const names = choose(
    'scenario',
    known.map(({ name }) => name),
    values.scenario,
  );
  const failures = await takeScreenshots({
    themes: choose('theme', Object.keys(themes), values.theme),
    sizes: choose('size', Object.keys(sizes), values.size),
    scenarios: known.filter(({ name }) => names.includes(name)),
    retries: Number(values.retries),
    workspace: traces ?? join(repositoryRoot, 'examples'),
    extension: resolve(values.extension),
  });
  for (const failure of failures) console.error(`Failed: ${failure}`);
  console.log(`${played - failures.length} passed, ${failures.length} failed`);
  if (failures.length > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
