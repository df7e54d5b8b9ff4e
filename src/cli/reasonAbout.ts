/** `ilvr reason`: about pictures that are given, or an example that is drawn for it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawExample, EXAMPLES, type ExampleKind } from '../examples/example.ts';
import type { CliContext } from './context.ts';
import { reason, type ReasonOptions } from './reason.ts';
import { UsageError } from './usage.ts';

/**
 * Runs the command.
 * @returns the exit code
 * @throws UsageError without a picture or an example, or with both; whatever `reason` throws
 */
export async function reasonAbout(
  context: CliContext,
  images: string[],
  { example, ...options }: ReasonOptions & { example?: ExampleKind },
): Promise<number> {
  if (example === undefined) {
    requirePicture(images);
    return reason(context, images, options);
  }
  requireNothingElse(images, options);
  const folder = await mkdtemp(join(tmpdir(), 'ilvr-example-'));
  try {
    const { model, question, helpers, ...drawn } = await drawExample(example, folder, context.signal);
    const asked = { model, ...options, question, helper: helpers };
    return await reason(context, drawn.images, asked, { truth: drawn.truth, source: 'samples.jsonl' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function requirePicture(images: readonly string[]): void {
  if (images.length > 0) return;
  throw new UsageError({
    problem: 'There is no picture to reason about',
    expected: `one or more, or --example ${EXAMPLES.join(' or --example ')}`,
    found: 'none',
  });
}

function requireNothingElse(images: readonly string[], { helper, question }: ReasonOptions): void {
  const given = [...images, ...helper, ...(question === undefined ? [] : ['--question'])];
  if (given.length === 0) return;
  throw new UsageError({
    problem: 'An example has pictures and a question of its own',
    expected: '--example alone',
    found: given.join(', '),
  });
}
