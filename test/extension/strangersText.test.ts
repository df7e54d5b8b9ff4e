/** Claims about the ways by which a stranger's text reaches a notification: by then it holds no link. */

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { plainText } from '../../src/base/plainText.ts';
import { loadChatTemplate } from '../../src/checkpoint/text/chatTemplate.ts';
import { readManifest } from '../../src/traceFile/manifest.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { hostile } from '../fixtures/paths.ts';
import { oneFile } from '../fixtures/reopened.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

const LINK = '[Repair it](command:workbench.action.terminal.new)';

/** The message of what `act` throws, which must hold the link's label, as the window shows it. */
async function shown(act: () => unknown): Promise<string> {
  const message = await Promise.resolve()
    .then(act)
    .then(() => 'nothing was refused', messageOf);
  expect(message).toContain('[Repair it](command:');
  return plainText(message);
}

const expectText = (message: string): void => {
  expect(message).toContain('[Repair it] (command:');
  expect(message).not.toContain('](');
};

async function render(folder: string): Promise<string> {
  const template = await loadChatTemplate(folder);
  return template.render({ parts: [{ type: 'text', text: 'Which way?' }] });
}

test('the name of a picture in a trace', async () => {
  const run = smallRun();
  run.trace.latents[0]!.comparisons[0]!.picture = LINK;
  const text = await oneFile(run);
  expectText(await shown(() => readManifest(text, 'x.ilvr.json')));
});

test('the name of a file', async () => {
  expectText(await shown(() => readManifest('{', `${LINK}.ilvr.json`)));
});

test('what a chat template raises', async () => {
  const folder = temporaryFolder();
  await writeFile(join(folder, 'chat_template.jinja'), `{{ raise_exception('out of date. ${LINK}') }}`);
  expectText(await shown(() => render(folder)));
});

const handed = hostile('notification-command-link.ilvr.json');
test.runIf(existsSync(handed))('the handed trace and the handed template', async () => {
  const text = await readFile(handed, 'utf8');
  expectText(await shown(() => readManifest(text, handed)));
  expectText(await shown(() => render(hostile('evil-template'))));
});
