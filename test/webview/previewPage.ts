/** The panel in a headless Chromium, under the same policy and theme variables as in VS Code. */

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { Bundle } from '../../src/base/l10n.ts';
import { compareRuns } from '../../src/comparison/compare.ts';
import { likenessOf } from '../../src/comparison/latents.ts';
import { pagePolicy } from '../../src/extension/pagePolicy.ts';
import { bundleElement } from '../../src/protocol/language.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { writeManifest } from '../../src/traceFile/manifest.ts';
import { PreviewArrays, type ArrayQuestion } from './previewArrays.ts';
import type { PreviewControls } from './previewHost.ts';
import type { EvaluationControls } from './evaluationHost.ts';
import type { TrainingControls } from './trainingHost.ts';
import { BODY_CLASSES, themeVariables, type ThemeName } from './themes.ts';

/** Answered by the test itself; as secure as a webview's, so that it has a clipboard. */
const ORIGIN = 'https://panel.test';
const NONCE = 'preview';
export const CHROMIUM = process.env['ILVR_CHROMIUM'] ?? '/usr/bin/chromium';
export const hasChromium = existsSync(CHROMIUM);

type PageName = 'webview' | 'training' | 'evaluation' | 'comparison';

export interface PreviewOptions {
  theme: ThemeName;
  width: number;
  height: number;
  /** Which of the pages; the trace's unless told. */
  of?: PageName;
  /** English unless told. */
  language?: 'de';
}

/** A page with the panel in it; `problems` collects console errors and violations of the policy. */
export interface Preview {
  page: Page;
  problems: string[];
  /** The arrays of the runs it was shown. */
  arrays: PreviewArrays;
  /** Loads the page from its beginning; of what was shown or done before nothing is left. */
  open(options: PreviewOptions): Promise<void>;
  /** The reader's reload, which finds the state that the page stored. */
  reload(): Promise<void>;
  /** Another theme, as VS Code changes it while a page is open. */
  dress(theme: ThemeName): Promise<void>;
  /** Shows a run, or replays as many of its events. */
  show(run: OpenTrace, rest?: Parameters<PreviewControls['show']>[1]): Promise<void>;
  replay(run: OpenTrace, count: number): Promise<void>;
  /** Has a run ready; what is returned shows it. */
  prepare(run: OpenTrace): Promise<() => Promise<void>>;
  /** Calls the page's stand-in for the host. */
  host<Name extends 'show' | 'progress' | 'select' | 'finish' | 'keep' | 'finishAnalysis'>(
    name: Name,
    ...args: Parameters<PreviewControls[Name]>
  ): Promise<void>;
  /** The same on the page of a training run. */
  training<Name extends 'show' | 'change'>(
    name: Name,
    ...args: Parameters<TrainingControls[Name]>
  ): Promise<void>;
  /** The same on the page of a samples file. */
  table(...args: Parameters<EvaluationControls['table']>): Promise<void>;
  /** Two runs on the page that compares them. */
  compare(a: OpenTrace, b: OpenTrace): Promise<void>;
  calls(): Promise<string[]>;
}

const ENTRIES = {
  webview: 'src/webview/main.tsx',
  'webview-host': 'test/webview/previewHost.ts',
  training: 'src/webview/training.tsx',
  'training-host': 'test/webview/trainingHost.ts',
  evaluation: 'src/webview/evaluation.tsx',
  'evaluation-host': 'test/webview/evaluationHost.ts',
  comparison: 'src/webview/comparison.tsx',
  'comparison-host': 'test/webview/comparisonHost.ts',
};

/** The files a page is served, built from the sources of a checkout; an older one has not all pages. */
export async function bundle({ minify = false, folder = '.' } = {}): Promise<Map<string, string>> {
  const there = Object.entries(ENTRIES).filter(([, file]) => existsSync(resolve(folder, file)));
  const { outputFiles } = await build({
    absWorkingDir: resolve(folder),
    entryPoints: Object.fromEntries(there),
    bundle: true,
    write: false,
    minify,
    outdir: '/',
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'error',
  });
  return new Map(outputFiles.map(({ path, text }) => [path.replaceAll('\\', '/').replace(/^\w:/, ''), text]));
}

/** A page with the panel in it. */
export async function openPreview(
  browser: Browser,
  files: Map<string, string>,
  options: PreviewOptions,
): Promise<Preview> {
  const preview = await emptyPreview(browser, files);
  await preview.open(options);
  return preview;
}

/** A page that nothing has been opened in. Opening it again takes a third of the time of a new one. */
export async function emptyPreview(browser: Browser, files: Map<string, string>): Promise<Preview> {
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  let shown: PreviewOptions = { theme: 'dark', width: 0, height: 0 };
  await page.route(`${ORIGIN}/**`, (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === '/') return route.fulfill({ contentType: 'text/html', body: shell(shown) });
    const body = files.get(path);
    if (body === undefined) return route.fulfill({ status: path === '/favicon.ico' ? 204 : 404 });
    return route.fulfill({ contentType: path.endsWith('.css') ? 'text/css' : 'text/javascript', body });
  });
  const arrays = new PreviewArrays();
  await page.exposeFunction('askForArrays', (question: ArrayQuestion) => arrays.answer(question));
  const ask = (name: string, ...args: unknown[]): Promise<void> =>
    page.evaluate(
      ([method, values]) =>
        (window as unknown as { preview: Record<string, (...args: unknown[]) => Promise<void>> }).preview[
          method
        ]!(...values),
      [name, args] as const,
    );
  const sent = (run: OpenTrace): string => {
    arrays.add(run);
    return manifestOf(run);
  };
  const isReady = (): Promise<unknown> => page.waitForFunction('window.preview?.calls.includes("ready")');
  return {
    page,
    problems,
    arrays,
    open: async (options) => {
      if (page.url() !== 'about:blank') await page.evaluate('window.preview.forget()');
      shown = options;
      problems.length = 0;
      arrays.forget();
      const { width, height } = options;
      await page.setViewportSize({ width, height });
      // Where the pointer rests, a new page would find it again.
      await page.mouse.move(0, 0);
      await page.goto(`${ORIGIN}/`);
      await isReady();
    },
    reload: async () => {
      arrays.cancelAll();
      await page.reload();
      await isReady();
    },
    dress: (theme) =>
      page.evaluate(
        async ([style, name]) => {
          document.getElementById('theme')!.textContent = style;
          document.body.className = name;
          // The toolkit's elements follow a frame later.
          for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
          const transitions = document.getAnimations().filter((one) => one instanceof CSSTransition);
          await Promise.all(transitions.map(({ finished }) => finished));
        },
        [themeStyle(theme), bodyClass(theme)] as const,
      ),
    show: (run, rest = { canRun: true }) => ask('show', sent(run), rest),
    prepare: async (run) => {
      await ask('prepare', sent(run));
      return () => ask('showPrepared', { canRun: true });
    },
    replay: (run, count) => ask('replay', sent(run), count),
    host: ask,
    training: ask,
    table: (...args) => ask('table', ...args),
    compare: async (a, b) => {
      const { blocks } = compareRuns(a.trace, b.trace);
      await ask('compare', sent(a), sent(b), (await likenessOf(a, b, blocks)) ?? null);
    },
    calls: () => page.evaluate(() => (window as unknown as { preview: { calls: string[] } }).preview.calls),
  };
}

/** What the page is shown of a run: its manifest. */
export function manifestOf({ trace }: Pick<OpenTrace, 'trace'>): string {
  return writeManifest(trace, { file: 'sample.ilvr.bin' });
}

function bundleOf(language: PreviewOptions['language']): Bundle | undefined {
  if (language === undefined) return undefined;
  return JSON.parse(readFileSync(`l10n/bundle.l10n.${language}.json`, 'utf8')) as Bundle;
}

/** The shell that main.tsx asks of its host. */
function shell({ theme, of = 'webview', language }: PreviewOptions): string {
  return `<!DOCTYPE html>
<html lang="${language ?? 'en'}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="${pagePolicy(ORIGIN, NONCE)}">
    <meta property="csp-nonce" content="${NONCE}">
    <style nonce="${NONCE}" id="theme">${themeStyle(theme)}</style>
    <style nonce="${NONCE}">body { padding: 0 20px; }</style>
    <link rel="stylesheet" href="/${of}.css">
    <title>ILVR</title>
  </head>
  <body class="${bodyClass(theme)}">
    <div id="root"></div>
    ${bundleElement(bundleOf(language))}
    <script type="module" nonce="${NONCE}" src="/${of}-host.js"></script>
    <script type="module" nonce="${NONCE}" src="/${of}.js"></script>
  </body>
</html>`;
}

function themeStyle(theme: ThemeName): string {
  const variables = Object.entries(themeVariables(theme)).map(([name, value]) => `${name}: ${value};`);
  return `:root { ${variables.join(' ')} }`;
}

function bodyClass(theme: ThemeName): string {
  return `ilvr ${BODY_CLASSES[theme]}`;
}
