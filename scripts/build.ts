/** Builds the bundles: extension, engine, command line (Node) and webview (browser). `--watch` rebuilds. */

import { mkdir, writeFile } from 'node:fs/promises';
import { context, type BuildOptions } from 'esbuild';
import { traceJsonSchema } from '../src/traceFile/manifest.ts';
import { trainingConfigJsonSchema } from '../src/train/run/config.ts';

const watch = process.argv.includes('--watch');
const production = process.argv.includes('--production');

const common: BuildOptions = {
  bundle: true,
  sourcemap: production ? false : 'linked',
  minify: production,
  logLevel: 'info',
  target: 'node20',
};

/** VS Code loads extensions as CommonJS; native packages stay outside the bundles. */
const node: BuildOptions = {
  ...common,
  platform: 'node',
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  outdir: 'dist',
  external: ['vscode', 'onnxruntime-node', 'sharp'],
};

const bundles: BuildOptions[] = [
  { ...node, entryPoints: { extension: 'src/extension/extension.ts' } },
  { ...node, entryPoints: { drawWorker: 'src/extension/draw/worker.ts' } },
  { ...node, entryPoints: { unpackWorker: 'src/extension/unpack/worker.ts' } },
  { ...node, entryPoints: { engine: 'src/engine/main.ts' } },
  { ...node, entryPoints: { packWorker: 'src/quantise/worker.ts' } },
  { ...node, entryPoints: { trainWorker: 'src/train/run/worker.ts' } },
  {
    ...node,
    entryPoints: { cli: 'src/cli/main.ts' },
    // What training gains by the option: see src/extension/training/process.ts.
    banner: { js: '#!/usr/bin/env -S node --single-threaded-gc' },
  },
  {
    ...common,
    platform: 'browser',
    target: 'es2022',
    format: 'esm',
    entryPoints: {
      webview: 'src/webview/main.tsx',
      training: 'src/webview/training.tsx',
      comparison: 'src/webview/comparison.tsx',
      evaluation: 'src/webview/evaluation.tsx',
    },
    outdir: 'dist',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  },
];

await mkdir('media', { recursive: true });
for (const [name, schema] of [
  ['trace', traceJsonSchema()],
  ['training', trainingConfigJsonSchema()],
] as const) {
  await writeFile(`media/ilvr-${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
}

for (const bundle of bundles) {
  const build = await context(bundle);
  if (watch) await build.watch();
  else {
    await build.rebuild();
    await build.dispose();
  }
}
