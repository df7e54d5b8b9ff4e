/**
 * `npm test`: every check of the project, from a fresh clone. The last line is "N passed, N failed".
 *
 * `npm test -- types vitest` runs only those parts. Parts that this machine cannot run say why and count
 * as neither passed nor failed.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { bootstrap, root, tsxArguments } from './bootstrap.mjs';
import { endWith } from './runNode.mjs';
import { hasSoftwareGpu, softwareDriver, softwareGpu } from './softwareGpu.mjs';

/** @typedef {{ passed: number, failed: number, output?: string, remarks?: string[] } | { notRun: string }} Outcome */

const TIME_LIMIT_MS = 60 * 60_000;

/** Reference answers of this repository, and a larger set where there is one: see CONTRIBUTING.md. */
const answers = join(root, 'test/reference');
const baseAnswers = join(root, 'test/bases/qwen3-vl');
const moreAnswers = process.env.ILVR_GOLDENS ?? join(root, '../shared/data/goldens');
/** Training takes as long as a fifth of all other unit tests. */
const TRAINING = 'test/train';

/**
 * What runs on the device: how a checkpoint is stored (nested, bin) makes no difference there, and one
 * training checkpoint is enough for a software GPU's speed. `ilvr conformance --device webgpu` runs all.
 */
const ON_THE_DEVICE = '^(?!.*/(nested|bin)/)(forward|generate|training/tied)';
/** Of the larger set: what differs most from this repository's answers, which the device has had. */
const MORE_ON_THE_DEVICE = '^(generate/tied/(map-free-full|two-images-two-blocks)|training/tied)';

/** Scenarios of scripts/host/scenarios.ts that need keys and pointer; what the others show, claims in the host hold. */
const IN_THE_WINDOW = ['reason', 'link', 'reload', 'runs', 'branch', 'compare', 'training'];

/** What names a failed check, or an error that no test of vitest's caught and the test it came from. */
const NAMES_A_FAILURE = /^\s*(✗|×|FAIL|Failed:|\w*Error: |This error originated|The latest test)|Unhandled/;

/** @type {Record<string, () => Promise<Outcome>>} */
const parts = {
  types: () => tool('typescript/bin/tsc', ['-b']),
  lint: () => tool('oxlint/bin/oxlint', ['--type-aware']),
  format: () => tool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.']),
  vitest: () => runVitest('vitest', ['--exclude', `${TRAINING}/**`]),
  'conformance on the CPU': () => conformance(answers, 'cpu'),
  'conformance on software WebGPU': () => conformance(answers, 'webgpu', ON_THE_DEVICE),
  'conformance of Qwen3-VL on software WebGPU': () =>
    conformance(baseAnswers, 'webgpu', '^(forward/tied|generate/swimbird)'),
  'conformance with more answers on the CPU': () => conformance(moreAnswers, 'cpu'),
  'conformance with more answers on software WebGPU': () =>
    conformance(moreAnswers, 'webgpu', MORE_ON_THE_DEVICE),
  host: runHostTests,
  window: runWindowScenarios,
  'vitest of training': () => runVitest('vitest-training', [TRAINING]),
  vsix: runFromVsix,
};

/**
 * What runs beside what. Unit tests wait a good deal, for processes and for time to pass, and the window's tests for
 * a window: side by side they take half of the time on two cores. The package comes last, as it builds anew what the
 * others use.
 */
const stages = [
  [['types'], ['lint'], ['format']],
  [['vitest'], Object.keys(parts).filter((name) => /^conformance|^host|^window|training$/.test(name))],
  [['vsix']],
];

const wanted = process.argv.slice(2);
bootstrap();
installPackages();
const totals = { passed: 0, failed: 0 };
const summary = [];
for (const lanes of stages) await Promise.all(lanes.map(runLane));
console.log(`\n── summary\n${summary.join('\n')}`);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;

/** Parts that run one after the other. */
async function runLane(names) {
  for (const name of names) {
    if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
    await runPart(name);
  }
}

async function runPart(name) {
  const started = Date.now();
  const outcome = await parts[name]();
  const output = outcome.output ?? '';
  const time = `${((Date.now() - started) / 1000).toFixed(1)} s`;
  if ('notRun' in outcome) {
    summary.push(`${name}: not run, ${outcome.notRun}`);
  } else {
    totals.passed += outcome.passed;
    totals.failed += outcome.failed;
    summary.push(`${name}: ${outcome.passed} passed, ${outcome.failed} failed in ${time}`);
  }
  console.log(`\n── ${name}\n${output}${summary.at(-1)}`);
  summary.push(...(outcome.remarks ?? []).map((remark) => `  ${remark}`));
  if (outcome.failed > 0) summary.push(...failuresIn(output));
}

/** Lines that name what failed: the end of a long output is all that is looked at first. */
function failuresIn(output) {
  const lines = stripVTControlCharacters(output).split('\n');
  return lines
    .filter((line) => NAMES_A_FAILURE.test(line))
    .slice(0, 20)
    .map((line) => `  ${line.trim()}`);
}

/** A tool that only succeeds or fails counts as one check. */
async function tool(script, args) {
  const { code, output } = await node([join(root, 'node_modules', script), ...args]);
  return code === 0 ? { passed: 1, failed: 0, output } : { passed: 0, failed: 1, output };
}

/**
 * Unit tests. A native library can end the process that runs a file of them, and then no test has failed: what was not
 * done is run once more, and the summary names the test that it ended in.
 * @param {string} name of the report
 */
async function runVitest(name, args) {
  const first = await vitest(name, args);
  const lost = first.failed > 0 ? [] : first.files.filter(({ endedIn }) => endedIn !== undefined);
  if (first.code === 0 || lost.length === 0)
    return { ...first, failed: atLeastOneIf(first.code !== 0, first.failed) };
  const again = await vitest(
    `${name}-again`,
    lost.map(({ file }) => file),
  );
  const before = lost.reduce((sum, { passed }) => sum + passed, 0);
  return {
    passed: first.passed - before + again.passed,
    failed: atLeastOneIf(again.code !== 0, again.failed),
    output: first.output + again.output,
    remarks: lost.map(({ file, endedIn }) => `the process of ${file} ended in "${endedIn}"; run once more`),
  };
}

/** Runs vitest once. @returns what its report has, by file with the test that was never finished */
async function vitest(name, args) {
  const report = join(root, `build/${name}.json`);
  rmSync(report, { force: true });
  const { code, output } = await node([
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...args,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  if (!existsSync(report)) return { code, passed: 0, failed: 1, output, files: [] };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const files = testResults.map(({ name: file, assertionResults: tests }) => ({
    file: relative(root, file),
    passed: tests.filter(({ status }) => status === 'passed').length,
    endedIn:
      tests.length === 0 ? 'its beginning' : tests.find(({ status }) => status === 'pending')?.fullName,
  }));
  return { code, passed: numPassedTests, failed: numFailedTests, output, files };
}

async function conformance(folder, device, filter = '') {
  if (!existsSync(folder)) return notRun(`there are no reference answers at ${folder}`);
  const onDevice = device === 'webgpu';
  if (onDevice && !hasSoftwareGpu())
    return notRun(`there is no ${softwareDriver}; install Debian's chromium and libvulkan1`);
  const options = ['--device', device, '--filter', filter];
  return counted(
    await node([join(root, 'dist/cli.cjs'), 'conformance', folder, ...options], onDevice ? softwareGpu : {}),
  );
}

async function runHostTests() {
  return counted(await node(tsxArguments('scripts/host/runTests.ts')));
}

/**
 * The real window, driven by keys and pointer, as a user would. Beside unit tests a key can reach a window that is not ready
 * for it, so a scenario has a second try; what failed at the first stands in the output.
 */
async function runWindowScenarios() {
  const scenarios = IN_THE_WINDOW.flatMap((name) => ['--scenario', name]);
  const options = ['--theme', 'dark', '--size', 'wide', '--retries', '1', ...scenarios];
  return counted(await node(tsxArguments('scripts/screenshots.ts', options)));
}

/** The main command from an installed VSIX: a bundle that works in the repository can fail without it. */
async function runFromVsix() {
  const out = join(root, 'build/test-vsix');
  rmSync(out, { recursive: true, force: true });
  const { code, output } = await node(tsxArguments('scripts/package.ts', ['--out', out]));
  if (code !== 0) return { passed: 0, failed: 1, output };
  const [vsix] = readdirSync(out);
  const env = { ILVR_HOST_GREP: 'run: (reasoning about|a run that was exported)' };
  return counted(await node(tsxArguments('scripts/host/runTests.ts', ['--vsix', join(out, vsix)]), env));
}

/** Reads the counts from the last "N passed, N failed" of a part's output. */
function counted({ code, output }) {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed\s*$/gm)].at(-1);
  if (last === undefined) return { passed: 0, failed: 1, output };
  return { passed: Number(last[1]), failed: atLeastOneIf(code !== 0, Number(last[2])), output };
}

/** A part that ends with an error has failed, even if none of its tests has. */
function atLeastOneIf(bad, failed) {
  return bad ? Math.max(1, failed) : failed;
}

async function notRun(why) {
  return { notRun: why };
}

/** Runs Node on a script and keeps its output, which is shown when its part has ended: others write meanwhile. */
function node(args, env = {}) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (data) => {
      output += data;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    endWith(child);
    const timer = setTimeout(() => {
      output += `Stopped: it did not end within ${TIME_LIMIT_MS / 60_000} minutes.\n`;
      child.kill('SIGKILL');
    }, TIME_LIMIT_MS);
    child.once('error', (error) => console.error(error.message));
    child.once('close', (code) => {
      clearTimeout(timer);
      done({ code: code ?? 1, output });
    });
  });
}

/** Debian packages for host tests and software WebGPU; elsewhere the parts that need them say so. */
function installPackages() {
  const missing = missingPackages();
  if (missing.length === 0 || !existsSync('/usr/bin/apt-get')) return;
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (prefix.length > 0 && spawnSync('sudo', ['-n', 'true']).status !== 0) {
    console.log(`Not installed, for want of rights: ${missing.join(', ')}.`);
    return;
  }
  console.log(`Installing ${missing.join(', ')} with apt-get …`);
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...missing],
  ]) {
    const [command, ...rest] = [...prefix, 'apt-get', ...args];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    if (spawnSync(command, rest, { stdio: 'inherit', env }).status !== 0)
      return console.log('apt-get failed; going on without.');
  }
}

function missingPackages() {
  const needs = {
    chromium: ['/usr/bin/chromium', softwareDriver],
    libvulkan1: ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib/aarch64-linux-gnu/libvulkan.so.1'],
    'fonts-dejavu-core': ['/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf'],
  };
  return Object.entries(needs).flatMap(([name, paths]) =>
    paths.some((path) => existsSync(path)) ? [] : [name],
  );
}
