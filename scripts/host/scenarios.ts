/**
 * What the screenshots show: scenarios, each a list of steps with a picture after every one.
 *
 * To add a scenario, append to `scenarios`. A step's name becomes its picture's; a step drives the
 * real window through `scripts/host/browser.ts` and throws when what it waits for does not come.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import {
  acceptQuickInput,
  chooseFile,
  fillQuickInput,
  openFile,
  runCommand,
  webviewFrame,
} from './browser.ts';
import { repositoryRoot } from './repository.ts';

/** What a step may use. */
export interface Stage {
  page: Page;
  /** The opened folder, a copy of `examples/`. */
  folder: string;
}

export interface Step {
  name: string;
  run: (stage: Stage) => Promise<void>;
}

export interface Scenario {
  name: string;
  steps: Step[];
}

/** The marks in the panel's HTML that a script may rely on. */
const panel = {
  /** Offered only when no run is in progress. */
  finished: ':text-is("Run again")',
  stage: '#stage-picture',
  latents: '[id^="latent-"]',
};

const runTimeoutMs = 180_000;

/** Chooses a file by its path and stops at the question. */
async function reasonAbout({ page, folder }: Stage, image: string): Promise<void> {
  await runCommand(page, 'ILVR: Reason about image');
  await chooseFile(page, join(folder, image));
}

function panelFrame(page: Page): Promise<Frame> {
  return webviewFrame(page);
}

/** Waits for the run's end; a notification of an error ends the wait at once. */
async function waitForRun({ page }: Stage): Promise<void> {
  const frame = await panelFrame(page);
  const finished = frame.locator(panel.finished).waitFor({ state: 'attached', timeout: runTimeoutMs });
  const error = page.locator('.notification-list-item', { has: page.locator('.codicon-error') });
  const failed = error.waitFor({ timeout: runTimeoutMs }).then(async () => {
    throw new Error(`the window shows an error: ${await error.innerText()}`);
  });
  // Both settle in the end; only the first matters, and the later one must not count as unhandled.
  for (const wait of [finished, failed]) wait.catch(() => undefined);
  await Promise.race([finished, failed]);
}

/** A quick machine would be through with the offered steps before anyone pauses. */
async function takeLonger({ page, folder }: Stage): Promise<void> {
  const file = join(folder, 'samples.train.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as { steps: number };
  const steps = 10 * config.steps;
  await writeFile(file, `${JSON.stringify({ ...config, steps }, null, 2)}\n`);
  // The editor takes up what has changed on disk.
  await page.locator('.view-line', { hasText: String(steps) }).waitFor({ timeout: 20_000 });
}

/** Waits until a training run has looked at its sample as often as that, and shows the look. */
async function waitForLooks({ page }: Stage, count: number): Promise<void> {
  const frame = await panelFrame(page);
  const range = frame.locator('.timeline input[type=range]');
  await range.waitFor({ timeout: runTimeoutMs });
  for (let waited = 0; waited < runTimeoutMs; waited += 500) {
    const last = Number(await range.getAttribute('max'));
    if (last + 1 >= count && (await frame.locator('.selection').count()) > 0) return;
    await page.waitForTimeout(500);
  }
  throw new Error(`the run did not look at its sample ${count} times`);
}

async function hoverStage({ page }: Stage): Promise<void> {
  const frame = await panelFrame(page);
  await frame.locator(panel.stage).first().hover();
  await page.waitForTimeout(400);
}

/** Sends keys to the panel, as a reader without a mouse would. */
async function pressInPanel({ page }: Stage, keys: string[]): Promise<void> {
  const frame = await panelFrame(page);
  await frame.locator(panel.latents).first().focus();
  for (const key of keys) {
    await page.keyboard.press(key);
    await page.waitForTimeout(150);
  }
}

/** Rests the pointer on a place in the editor that reads `text`, until a hover shows. */
async function hoverText(
  { page }: Stage,
  text: string | RegExp,
  which: 'first' | 'last' = 'first',
): Promise<void> {
  const word = page.locator('.monaco-editor .view-line span span', { hasText: text })[which]();
  const shown = page.locator('.monaco-hover:not(.hidden)').first();
  // The editor drops a hover that it was asked for while it still lays out; a reader would point again.
  for (let tries = 1; ; tries++) {
    await word.hover({ timeout: 20_000 });
    const isShown = await shown.waitFor({ timeout: 7_000 }).then(
      () => true,
      () => false,
    );
    if (isShown) break;
    if (tries === 3) throw new Error(`no hover over ${text}`);
    await page.mouse.move(0, 0);
  }
  await page.waitForTimeout(500);
}

/** Computes an analysis in the panel's evidence, by the run's own model. */
async function analyse({ page }: Stage, tab: string): Promise<void> {
  const frame = await panelFrame(page);
  await frame.getByRole('tab', { name: tab }).click();
  await frame.locator(':text-is("Compute")').click();
  await frame.locator(':text-is("Compute again")').waitFor({ timeout: runTimeoutMs });
}

/** Of a world that was answered: the last block's latent of the player's cell, over the picture after the last move. */
async function showPlayer({ page }: Stage): Promise<void> {
  const frame = await panelFrame(page);
  const [, answer] = /\\boxed\{([^}]*)\}/.exec(await frame.locator('body').innerText()) ?? [];
  const cells = (answer ?? '').replaceAll('/', '');
  const latents = frame.locator(panel.latents);
  await latents.nth((await latents.count()) - cells.length + cells.indexOf('@')).click();
  await frame.getByRole('radio', { name: 'Helper 3' }).click();
  await frame.getByRole('radio', { name: 'Similarity' }).click();
  await page.waitForTimeout(400);
}

/** What a screen reader is told of the selected latent. */
async function selectedLatent({ page }: Stage): Promise<string | null> {
  const frame = await panelFrame(page);
  return frame.locator('[id^="latent-"][aria-pressed="true"]').first().getAttribute('aria-label');
}

export const scenarios: Scenario[] = [
  {
    name: 'reason',
    steps: [
      { name: '1-question', run: (stage) => reasonAbout(stage, 'map-01.png') },
      {
        name: '2-finished',
        run: async (stage) => {
          // Twice Enter takes what is offered: the question, then no helper images.
          await acceptQuickInput(stage.page);
          await acceptQuickInput(stage.page);
          await waitForRun(stage);
        },
      },
      { name: '3-pointer', run: hoverStage },
      {
        name: '4-keyboard',
        run: (stage) => pressInPanel(stage, ['ArrowRight', 'ArrowRight', 'ArrowDown', ']']),
      },
      {
        name: '5-trace-as-text',
        run: async (stage) => {
          await runCommand(stage.page, 'ILVR: Open trace as text');
          await hoverText(stage, '◆');
        },
      },
    ],
  },
  {
    name: 'world',
    steps: [
      { name: '1-asked', run: ({ page }) => runCommand(page, 'ILVR: Reason about an example…') },
      {
        name: '2-answered',
        run: async (stage) => {
          await fillQuickInput(stage.page, 'world');
          await waitForRun(stage);
        },
      },
      { name: '3-player', run: showPlayer },
      { name: '4-causality', run: (stage) => analyse(stage, 'Causality') },
    ],
  },
  {
    name: 'link',
    steps: [
      {
        name: '1-helpers',
        run: async (stage) => {
          await reasonAbout(stage, 'map-12.png');
          await acceptQuickInput(stage.page);
          await fillQuickInput(stage.page, 'samples');
          await waitForRun(stage);
        },
      },
      {
        name: '2-latent',
        run: async (stage) => {
          await runCommand(stage.page, 'ILVR: Open trace as text');
          // Latents are numbered at the end of their block's line; the step's number stands first.
          await hoverText(stage, /^\s*2$/, 'last');
        },
      },
      {
        name: '3-shown-in-panel',
        run: async ({ page }) => {
          await page.locator('.monaco-hover a', { hasText: 'Show in panel' }).first().click();
          const frame = await panelFrame(page);
          await frame.locator('[id^="latent-"][aria-pressed="true"]').first().waitFor();
        },
      },
    ],
  },
  {
    name: 'analyse',
    steps: [
      {
        name: '1-lens',
        run: async (stage) => {
          await reasonAbout(stage, 'map-01.png');
          await acceptQuickInput(stage.page);
          await acceptQuickInput(stage.page);
          await waitForRun(stage);
          await analyse(stage, 'Lens');
        },
      },
      { name: '2-pca', run: (stage) => analyse(stage, 'PCA') },
      { name: '3-relevance', run: (stage) => analyse(stage, 'Relevance') },
      {
        name: '4-sources',
        run: async ({ page }) => {
          const frame = await panelFrame(page);
          await frame.getByRole('tab', { name: 'Sources' }).click();
          await frame.getByRole('button', { name: /Save/ }).first().click();
        },
      },
    ],
  },
  {
    name: 'doubt',
    steps: [
      {
        name: '1-causality',
        run: async (stage) => {
          await reasonAbout(stage, 'map-05.png');
          await acceptQuickInput(stage.page);
          await acceptQuickInput(stage.page);
          await waitForRun(stage);
          await analyse(stage, 'Causality');
        },
      },
      { name: '2-dependence', run: (stage) => analyse(stage, 'Dependence') },
      { name: '3-faithfulness', run: (stage) => analyse(stage, 'Faithfulness') },
    ],
  },
  {
    name: 'samples',
    steps: [
      {
        name: '1-evaluated',
        run: async ({ page, folder }) => {
          // The control whose latents carry the answer: there is something to see in every column.
          await mkdir(join(folder, '.vscode'));
          const settings = { 'ilvr.model': join(repositoryRoot, 'models/control-carrying') };
          await writeFile(join(folder, '.vscode/settings.json'), JSON.stringify(settings));
          await runCommand(page, 'ILVR: Evaluate samples…');
          await fillQuickInput(page, 'samples.jsonl');
          const frame = await panelFrame(page);
          await frame.locator('.facts', { hasText: 'control-carrying' }).waitFor({ timeout: 20_000 });
          await frame.locator('.row-picture').first().waitFor({ timeout: 20_000 });
          await frame.getByRole('radio', { name: 'the usual interventions' }).click();
          await frame.getByText('with tests').click();
          await frame.locator(':text-is("Evaluate")').click();
          await frame.locator(':text-is("Stop")').waitFor({ timeout: runTimeoutMs });
          await frame.locator(':text-is("Evaluate")').waitFor({ timeout: 2 * runTimeoutMs });
          await frame.locator('.cell-kl [data-strong]').first().waitFor({ timeout: 20_000 });
          // A narrow window has none.
          if (await page.locator('.part.sidebar').isVisible())
            await runCommand(page, 'View: Close Primary Side Bar');
        },
      },
    ],
  },
  {
    name: 'reload',
    steps: [
      {
        name: '1-restored',
        run: async (stage) => {
          await reasonAbout(stage, 'map-02.png');
          await acceptQuickInput(stage.page);
          await acceptQuickInput(stage.page);
          await waitForRun(stage);
          await pressInPanel(stage, ['ArrowRight', 'ArrowRight']);
          const before = await selectedLatent(stage);
          // VS Code saves a panel's state lazily.
          await stage.page.waitForTimeout(5000);
          const reloaded = stage.page.waitForEvent('load');
          await runCommand(stage.page, 'Developer: Reload Window');
          await reloaded;
          await waitForRun(stage);
          const after = await selectedLatent(stage);
          if (after !== before) throw new Error(`selected before the reload: ${before}, after it: ${after}`);
        },
      },
    ],
  },
  {
    name: 'runs',
    steps: [
      {
        name: '1-welcome',
        run: async ({ page }) => {
          await runCommand(page, 'View: Show ILVR');
          // Twice for a moment, while VS Code draws the welcome anew.
          await page.getByRole('button', { name: 'Reason about image' }).first().waitFor({ timeout: 20_000 });
        },
      },
      {
        name: '2-kept',
        run: async (stage) => {
          await reasonAbout(stage, 'map-01.png');
          await acceptQuickInput(stage.page);
          await acceptQuickInput(stage.page);
          await waitForRun(stage);
          const frame = await panelFrame(stage.page);
          await frame.locator(':text-is("Run again")').click();
          await frame.locator(':text-is("2 of 2")').waitFor({ timeout: runTimeoutMs });
          await waitForRun(stage);
        },
      },
      {
        name: '3-earlier',
        run: async ({ page }) => {
          const frame = await panelFrame(page);
          await frame.getByRole('button', { name: 'Earlier run' }).focus();
          await page.keyboard.press('Enter');
          await frame.locator(':text-is("1 of 2")').waitFor();
        },
      },
      {
        name: '4-renamed',
        run: async ({ page }) => {
          await runCommand(page, 'ILVR: Focus on Runs View');
          // Arrows move the focus; keys mean what is selected.
          for (const key of ['Home', 'ArrowDown', 'Control+Shift+Enter']) await page.keyboard.press(key);
          await page.keyboard.press('F2');
          await page.locator('.quick-input-widget input').first().waitFor();
          await fillQuickInput(page, 'The first try');
          await page.getByRole('treeitem', { name: /^The first try/ }).waitFor();
        },
      },
      {
        name: '5-delete',
        run: async ({ page }) => {
          await runCommand(page, 'ILVR: Focus on Runs View');
          await page.keyboard.press('Delete');
          await page.getByRole('option', { name: /Delete "The first try"/ }).waitFor();
        },
      },
    ],
  },
  {
    name: 'branch',
    steps: [
      {
        name: '1-asked',
        run: async (stage) => {
          await reasonAbout(stage, 'map-05.png');
          await acceptQuickInput(stage.page);
          await acceptQuickInput(stage.page);
          await waitForRun(stage);
          const frame = await panelFrame(stage.page);
          await frame.locator(panel.latents).first().click();
          await frame.locator(':text-is("From here on…")').click();
          await stage.page.getByRole('option', { name: /Other latents/ }).waitFor({ timeout: 20_000 });
        },
      },
      {
        name: '2-tree',
        run: async (stage) => {
          await stage.page.getByRole('option', { name: /Other latents/ }).click();
          await stage.page.getByRole('option', { name: /Zeroed/ }).click();
          const frame = await panelFrame(stage.page);
          await frame.locator('.family li').nth(1).waitFor({ timeout: runTimeoutMs });
          await waitForRun(stage);
          await runCommand(stage.page, 'View: Show ILVR');
          await stage.page.waitForTimeout(1000);
        },
      },
    ],
  },
  {
    name: 'compare',
    steps: [
      {
        name: '1-two-pictures',
        run: async (stage) => {
          for (const picture of ['map-05.png', 'map-01.png']) {
            await reasonAbout(stage, picture);
            await acceptQuickInput(stage.page);
            await acceptQuickInput(stage.page);
            await waitForRun(stage);
          }
          const frame = await panelFrame(stage.page);
          await frame.locator(':text-is("Compare with…")').click();
          await stage.page.getByRole('option', { name: /^map-05\.png/ }).click();
          // The page of a new webview may be replaced while it loads: it is the one that has the maps.
          await webviewFrame(stage.page, async (shown) => (await shown.locator('.compared-bar').count()) > 2);
        },
      },
      {
        name: '2-divergence',
        run: async ({ page }) => {
          const frame = await panelFrame(page);
          await frame.getByRole('radio', { name: 'KL of the distributions' }).click();
          await frame.locator(':text-is("Compute")').click();
          await frame.locator(':text-is("Compute again")').waitFor({ timeout: runTimeoutMs });
        },
      },
      {
        name: '3-lower',
        run: async ({ page }) => {
          const frame = await panelFrame(page);
          await frame.locator('.compared-times').scrollIntoViewIfNeeded();
        },
      },
    ],
  },
  {
    name: 'training',
    steps: [
      {
        name: '1-dataset',
        run: async ({ page }) => {
          await runCommand(page, 'ILVR: Train on dataset…');
          await page.getByRole('option', { name: /samples\.jsonl/ }).waitFor({ timeout: 20_000 });
        },
      },
      {
        name: '2-config',
        run: async ({ page }) => {
          await fillQuickInput(page, 'samples.jsonl');
          // The bundled model, then stage 1.
          await acceptQuickInput(page);
          await acceptQuickInput(page);
          await page.getByRole('button', { name: 'Start training' }).waitFor({ timeout: 20_000 });
        },
      },
      {
        name: '3-running',
        run: async (stage) => {
          await takeLonger(stage);
          await stage.page.getByRole('button', { name: 'Start training' }).click();
          await waitForLooks(stage, 4);
        },
      },
      {
        name: '4-paused',
        run: async (stage) => {
          const frame = await panelFrame(stage.page);
          await frame.locator(':text-is("Pause")').click();
          await frame.locator(':text-is("Resume")').waitFor({ timeout: runTimeoutMs });
        },
      },
      {
        name: '5-keyboard',
        run: async ({ page }) => {
          const frame = await panelFrame(page);
          await frame.locator('.curve-list').focus();
          for (const key of ['ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key);
          // A vertical line has no width, and so is never visible by Playwright's measure.
          await frame.locator('.curve-cursor').first().waitFor({ state: 'attached' });
        },
      },
    ],
  },
  {
    name: 'choices',
    steps: [
      {
        name: '1-weights',
        run: async ({ page }) => {
          await runCommand(page, 'ILVR: Choose format of the weights…');
          await page.getByRole('option', { name: /8-bit/ }).first().waitFor({ timeout: 60_000 });
        },
      },
      {
        name: '2-device',
        run: async ({ page }) => {
          await page.keyboard.press('Escape');
          await runCommand(page, 'ILVR: Choose device…');
          await page
            .getByRole('option', { name: /WebGPU/ })
            .first()
            .waitFor({ timeout: 120_000 });
        },
      },
    ],
  },
  {
    name: 'examples',
    steps: [{ name: '1-samples', run: ({ page }) => openFile(page, 'samples.jsonl') }],
  },
];
