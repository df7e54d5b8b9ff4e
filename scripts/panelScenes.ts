/** Every state of the pages that a reader may meet, as what is done to the page in a preview to come to it. */

import { readFileSync } from 'node:fs';
import type { TableState } from '../src/protocol/evaluation.ts';
import type { TrainingState } from '../src/protocol/training.ts';
import type { OpenTrace } from '../src/traceFile/openTrace.ts';
import type { Preview } from '../test/webview/previewPage.ts';
import { sampleTable } from '../test/webview/sampleTable.ts';
import { sampleBranch, sampleRun } from '../test/webview/sampleTrace.ts';
import { sampleLook, sampleMetrics, sampleTraining } from '../test/webview/sampleTraining.ts';

export interface PanelScene {
  act: (preview: Preview, run: OpenTrace) => Promise<void>;
  /** Another page than a trace's. */
  of?: 'training' | 'evaluation' | 'comparison';
}

type Act = PanelScene['act'];
type Control = [role: 'button' | 'radio' | 'tab' | 'checkbox', name: string | RegExp];

const FILE = { fileName: 'map-05.ilvr.json' };

const show: Act = async (preview, run) => {
  await preview.show(run, { canRun: true, ...FILE });
  await preview.page.locator('#stage-picture').waitFor();
};

/** The panel after these keys. */
const keys =
  (...pressed: string[]): Act =>
  async (preview, run) => {
    await show(preview, run);
    for (const key of pressed) await preview.page.keyboard.press(key);
  };

const click = async ({ page }: Preview, clicked: readonly Control[]): Promise<void> => {
  for (const [role, name] of clicked) await page.getByRole(role, { name }).first().click();
};

/** The panel after clicks on controls, by role and name. */
const shown =
  (...clicked: Control[]): Act =>
  async (preview, run) => {
    await show(preview, run);
    await click(preview, clicked);
  };

/** With a tab of the evidence open, also where the page has little room; then more clicks. */
const tab =
  (name: string, ...clicked: Control[]): Act =>
  async (preview, run) => {
    await show(preview, run);
    await click(preview, [['tab', name], ...clicked]);
  };

/** The same of a trace that keeps every analysis. */
const analysed =
  (name: string, ...clicked: Control[]): Act =>
  async (preview, run) => {
    await preview.host('keep', [
      'attention',
      'causality',
      'decomposition',
      'dependence',
      'faithfulness',
      'lens',
      'pca',
      'relevance',
      'similarity',
    ]);
    await tab(name, ...clicked)(preview, run);
  };

/** A training run after as many steps. */
const train =
  (steps: number, more: Partial<TrainingState> = {}) =>
  async (preview: Preview): Promise<void> => {
    const looks = Array.from({ length: Math.floor(steps / 10) + 1 }, (_, i) => sampleLook(10 * i));
    await preview.training('show', sampleTraining(steps, more), looks);
    await preview.page.locator('.training').waitFor();
  };

/** A samples file with so many samples, of which some have results. */
const evaluated =
  (count: number, done: number, more: Partial<TableState> = {}) =>
  async (preview: Preview): Promise<void> => {
    const picture = readFileSync('examples/map-05.png').toString('base64');
    await preview.table(sampleTable(count, done, more), count, done, picture);
    await preview.page.locator('.evaluation').waitFor();
  };

const evaluating: Act = (preview) => {
  const { evaluation } = sampleTable(400, 130);
  const running = { ...evaluation!, running: true, secondsLeft: 340 };
  return evaluated(400, 130, { evaluation: running })(preview);
};

const begun =
  (events: number): Act =>
  async (preview, run) => {
    await preview.host('show', undefined, { canRun: true });
    await preview.replay(run, events);
  };

/** Two runs beside each other; then more clicks. */
const compared =
  (...clicked: Control[]): Act =>
  async (preview) => {
    const size = { latents: 8, layers: 8, heads: 6 };
    await preview.compare(sampleRun(size), sampleBranch(size));
    await preview.page.locator('.compared-bar').first().waitFor();
    await click(preview, clicked);
  };

/** A run that has branches, one of which has another. */
const branched: Act = async (preview, run) => {
  const family = [
    { run: run.trace.id, label: 'the first run', depth: 0, answer: 'RRD' },
    { run: 'words', label: 'from token 14: “down”', depth: 1, answer: 'RDR' },
    { run: 'hidden', label: 'from token 18: 12 patches of map-05.png hidden', depth: 2, answer: 'RD' },
    { run: 'zeroed', label: 'from token 26: latents zeroed', depth: 1 },
  ];
  await preview.show(run, { canRun: true, family });
  await preview.page.locator('#stage-picture').waitFor();
};

/** By what the pictures are called. */
export const PANEL_SCENES: Record<string, PanelScene> = {
  opened: { act: show },
  heat: { act: keys('h') },
  masked: { act: keys('m') },
  relative: { act: keys('r', 'h') },
  settings: { act: shown(['radio', 'Heat'], ['button', 'More']) },
  'one-head': { act: keys('}', '}') },
  layers: {
    act: async (preview, run) => {
      await show(preview, run);
      await preview.page.locator('.layer-bar').nth(1).hover({ force: true });
    },
  },
  helper: {
    act: async (preview, run) => {
      await show(preview, run);
      const list = preview.page.getByRole('combobox', { name: 'Picture' });
      if ((await list.count()) > 0) await list.selectOption('helper-2');
      else await preview.page.getByRole('radio', { name: 'Helper 2' }).click();
    },
  },
  similarity: { act: keys('3') },
  region: {
    act: async (preview, run) => {
      await show(preview, run);
      const picture = preview.page.locator('#stage-picture');
      await picture.scrollIntoViewIfNeeded();
      const box = (await picture.boundingBox())!;
      await preview.page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4);
      await preview.page.mouse.down();
      await preview.page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.6, { steps: 4 });
      await preview.page.mouse.up();
    },
  },
  token: {
    act: async (preview, run) => {
      await show(preview, run);
      // Of a low list, what is further down is not in the page.
      await preview.page.locator('.step-list').evaluate((list) => list.scrollTo(0, list.scrollHeight));
      await preview.page.getByText('boxed', { exact: true }).hover();
    },
  },
  span: {
    act: async (preview, run) => {
      await tab('Span')(preview, run);
      await preview.page.locator('.chart').hover({ position: { x: 130, y: 40 } });
    },
  },
  sources: { act: tab('Sources') },
  'sources-renormalised': { act: tab('Sources', ['radio', 'Without prompt text']) },
  narrowing: { act: tab('Narrowing') },
  'latent-similarity': { act: tab('Latent similarity') },
  'latent-similarity-other': { act: analysed('Latent similarity') },
  timing: { act: tab('Timing') },
  'lens-elsewhere': {
    act: async (preview, run) => {
      await preview.show(run, { canRun: false, ...FILE });
      await click(preview, [['tab', 'Lens']]);
    },
  },
  'lens-before': { act: tab('Lens') },
  'lens-computing': { act: tab('Lens', ['button', 'Compute']) },
  lens: { act: analysed('Lens', ['button', 'layer 3']) },
  'pca-before': { act: tab('PCA') },
  'pca-computing': { act: tab('PCA', ['button', 'Compute']) },
  pca: { act: analysed('PCA') },
  'relevance-before': { act: tab('Relevance') },
  'relevance-computing': { act: tab('Relevance', ['button', 'Compute']) },
  relevance: { act: analysed('Relevance') },
  'relevance-signed': { act: analysed('Relevance', ['radio', 'Gradient × attention']) },
  'heads-before': { act: tab('All heads') },
  'heads-computing': { act: tab('All heads', ['button', 'Compute']) },
  heads: { act: analysed('All heads') },
  dependence: { act: analysed('Dependence') },
  faithfulness: { act: analysed('Faithfulness') },
  causality: { act: analysed('Causality', ['button', 'noise of equal norm']) },
  decomposition: { act: analysed('Decomposition') },
  branches: { act: branched },
  comparison: { act: compared(), of: 'comparison' },
  'comparison-divergence': {
    act: compared(['radio', 'KL of the distributions'], ['button', 'Compute']),
    of: 'comparison',
  },
  closed: { act: shown(['tab', 'Span'], ['button', /Hide/]) },
  'figure-menu': { act: shown(['button', 'Save figure']) },
  'figure-menu-chart': { act: analysed('PCA', ['button', 'Save figure']) },
  help: { act: keys('?') },
  notice: {
    act: async (preview, run) => {
      await preview.show(run, { canRun: false, ...FILE });
      await click(preview, [['button', 'Open as text']]);
      await preview.page.getByRole('alert').waitFor();
    },
  },
  history: {
    act: async (preview, run) => {
      const locked = 'Another run is in progress.';
      await preview.show(run, { canRun: true, history: { at: 1, of: 3 }, locked });
      await preview.page.locator('#stage-picture').waitFor();
    },
  },
  running: { act: begun(34) },
  failed: {
    act: async (preview, run) => {
      await begun(40)(preview, run);
      await preview.host('finish', 'failed', 'The engine process ended unexpectedly (exit code 139).');
    },
  },
  stopped: {
    act: async (preview, run) => {
      await begun(40)(preview, run);
      await preview.host('finish', 'cancelled');
      await click(preview, [['tab', 'Timing']]);
    },
  },
  loading: {
    act: (preview) => preview.host('show', undefined, { canRun: true, progress: 'Loading the model…' }),
  },
  empty: { act: (preview) => preview.host('show', undefined, { canRun: false }) },
  evaluation: { act: evaluated(400, 400), of: 'evaluation' },
  'evaluation-begin': { act: evaluated(12, 0), of: 'evaluation' },
  'evaluation-running': { act: evaluating, of: 'evaluation' },
  'evaluation-failure': {
    act: evaluated(0, 0, { failure: 'This file holds no samples: in /work/maps/samples.jsonl.' }),
    of: 'evaluation',
  },
  training: { act: train(240), of: 'training' },
  'training-failed': {
    act: train(42, {
      state: 'failed',
      error:
        'The loss is not a finite number: in examples/samples.jsonl:3. Try a lower learning rate, or look at this sample; the state before it is kept.',
      hasPlace: true,
    }),
    of: 'training',
  },
  'training-table': {
    act: async (preview) => {
      await train(240)(preview);
      await click(preview, [['checkbox', 'as a table']]);
    },
    of: 'training',
  },
  'training-left-out': {
    act: train(60, { metrics: sampleMetrics(60).map((metric, i) => ({ ...metric, leftOut: i % 4 > 0 })) }),
    of: 'training',
  },
  'training-starting': { act: train(0, { state: 'starting', looks: [] }), of: 'training' },
};

/** Those without words to click on, so that another language can be seen. */
export const WORDLESS = ['opened', 'help', 'running', 'failed', 'training', 'evaluation'];
