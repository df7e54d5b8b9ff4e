/** Files that were handed over because they broke a version, as they are. What is built by code: see each row. */

import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Terminal } from '../../src/cli/terminal.ts';
import { messageOf } from '../../src/base/errors.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { pictureSize } from '../../src/checkpoint/pixels/decodeImage.ts';
import { checkRoom, needsOf } from '../../src/inference/room.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { bundledModel, exampleImage, repository } from '../fixtures/paths.ts';

const DATA = join(repository, '../shared/data');
const PHOTO = join(DATA, 'cases', '10-phone-photo-default-pixels');
const HOSTILE = join(DATA, 'hostile');

/** The bundled model with some of its files replaced by those of a folder. */
function bundledWith(folder: string, leftOut: readonly string[] = []): string {
  const made = temporaryFolder();
  for (const from of [bundledModel, folder])
    for (const name of readdirSync(from))
      if (!leftOut.includes(name)) copyFileSync(join(from, name), join(made, name));
  return made;
}

async function sized(file: string) {
  const { width, height } = await pictureSize(readFileSync(file), file);
  return { name: file, source: { width, height }, inPrompt: true };
}

async function roomOf(folder: string) {
  const { config, processor } = await openCheckpoint(folder);
  return { config, processor, provider: 'cpu', textTokens: 50 } as const;
}

describe.runIf(existsSync(PHOTO))("case 10, a 12-megapixel photo with Qwen's default pixel budget", () => {
  it('takes memory by its patches, and is refused with size, needs and budget where there is less', async () => {
    const room = await roomOf(join(PHOTO, 'default-pixels'));
    const photo = await sized(join(PHOTO, 'big12mp.jpg'));
    const { patches, memory } = needsOf([photo], room);
    expect(patches).toBeGreaterThan(60_000);
    // Full attention over all patches at once would be 16 GB for each head of a layer.
    expect(memory.tower).toBeLessThan(4e9);
    const { width, height } = photo.source;
    const refused = (): void => checkRoom([photo], room, 3e8);
    expect(refused).toThrow('There is not enough memory for this run');
    expect(refused).toThrow(`${width} × ${height}`);
    expect(refused).toThrow('--max-pixels');
  });
});

describe.runIf(existsSync(HOSTILE))('of the hostile files', () => {
  it('min-pixels is told as too large before anything of it is taken', async () => {
    const room = await roomOf(bundledWith(join(HOSTILE, 'min-pixels')));
    const picture = await sized(exampleImage);
    expect(() => checkRoom([picture], room, 64e9)).toThrow(/too long for this model|not enough memory/);
  });

  it('empty-checkpoint has no weights', async () => {
    const folder = bundledWith(join(HOSTILE, 'empty-checkpoint'));
    await expect(openCheckpoint(folder)).rejects.toThrow('no weights');
  });

  it('terminal-escape reaches the terminal as printable text', async () => {
    const folder = bundledWith(bundledModel, ['model.safetensors', 'ilvr_export.json']);
    copyFileSync(join(HOSTILE, 'terminal-escape.index.json'), join(folder, 'model.safetensors.index.json'));
    const error: unknown = await openCheckpoint(folder).catch((thrown: unknown) => thrown);
    let shown = '';
    const stream = { write: (text: string) => (shown += text), isTTY: true };
    new Terminal({ out: stream, err: stream, env: {} }).error(messageOf(error));
    expect(shown).toContain('safetensors');
    expect(shown).not.toMatch(/(?!\n)\p{Cc}/u);
  });
});
