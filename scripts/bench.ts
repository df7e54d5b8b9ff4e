/**
 * `npm run bench -- NAME`: speed and memory, beside what they are measured against. Each bench says in its file what it
 * compares and which options it has: a step of training, tokens at real shapes, a branch beside the run
 * again, the panel in a headless browser, the
 * extension host's thread.
 */

const BENCHES: Record<string, () => Promise<unknown>> = {
  training: () => import('./bench/training.ts'),
  inference: () => import('./bench/inference/main.ts'),
  panel: async () => (await import('./bench/panel.ts')).benchPanel(),
  branch: async () => (await import('./bench/branch.ts')).benchBranch(),
  host: async () => (await import('./bench/host.ts')).benchHost(),
};

const bench = BENCHES[process.argv[2] ?? ''];
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [options]`);
  process.exitCode = 2;
} else {
  await bench();
}
export {};
