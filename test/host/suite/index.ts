/**
 * Runs inside VS Code's extension host: finds the bundled suites beside this file, runs their claims
 * one after another and throws when one failed, which makes VS Code end with an error.
 */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClaimOptions, Suite } from './claims.ts';

interface Claim {
  name: string;
  body: () => void | Promise<void>;
  timeoutMs: number;
}

const defaultTimeoutMs = 20_000;

/** Suites that want a window of their own kind: `NAME.KIND.suite.ts`. */
const KINDS = ['untrusted', 'german'];

/**
 * VS Code calls this. ILVR_HOST_GREP, a regular expression, chooses claims by "suite: name"; ILVR_HOST_ONLY
 * names the kind of window, whose suites alone are run; the counts go to the file ILVR_HOST_REPORT.
 */
export async function run(): Promise<void> {
  const wanted = new RegExp(process.env['ILVR_HOST_GREP'] ?? '', 'i');
  const claims = collectClaims().filter(({ name }) => wanted.test(name));
  const failed: string[] = [];
  for (const claim of claims) {
    if (!(await holds(claim))) failed.push(claim.name);
  }
  const counts = { passed: claims.length - failed.length, failed: failed.length };
  const report = process.env['ILVR_HOST_REPORT'];
  if (report !== undefined) writeFileSync(report, JSON.stringify(counts));
  if (failed.length > 0) throw new Error(`Failed: ${failed.join('; ')}`);
}

function collectClaims(): Claim[] {
  const claims: Claim[] = [];
  const only = process.env['ILVR_HOST_ONLY'];
  const kindOf = (file: string): string | undefined =>
    KINDS.find((kind) => file.endsWith(`.${kind}.suite.cjs`));
  const files = readdirSync(__dirname).filter((file) => file.endsWith('.suite.cjs') && kindOf(file) === only);
  for (const file of files.toSorted()) {
    const title = file.slice(0, -'.suite.cjs'.length);
    // Bundled beside this file by scripts/host/runTests.ts, each exporting one suite.
    const bundle: unknown = require(join(__dirname, file));
    if (!exportsSuite(bundle)) throw new Error(`${title}.suite.ts does not export a function "suite".`);
    bundle.suite((name, body, options: ClaimOptions = {}) => {
      claims.push({ name: `${title}: ${name}`, body, timeoutMs: options.timeoutMs ?? defaultTimeoutMs });
    });
  }
  return claims;
}

function exportsSuite(bundle: unknown): bundle is { suite: Suite } {
  return (
    typeof bundle === 'object' && bundle !== null && 'suite' in bundle && typeof bundle.suite === 'function'
  );
}

async function holds(claim: Claim): Promise<boolean> {
  const started = Date.now();
  try {
    await withTimeout(claim);
    console.log(`✓ ${claim.name} (${Date.now() - started} ms)`);
    return true;
  } catch (error) {
    console.log(
      `✗ ${claim.name}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return false;
  }
}

async function withTimeout({ body, timeoutMs }: Claim): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`did not end within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}
