/** Claims about runs that go on from a point of another: from code, their tree, and once more. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { RunResult } from '../../../src/extension/api.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import { extension, file, inspector, pressUntilDone, reason, RUN_MS, writeText } from './inspector.ts';

async function branch(of: string | vscode.Uri, options: object): Promise<string> {
  const { runId, status } = await vscode.commands.executeCommand<RunResult>('ilvr.branch', of, options);
  assert.equal(status, 'complete');
  return runId;
}

/** A run's trace as a file that somebody else gave, with the trace's id if none is given. */
async function traceFile(run: string, name: string, id = run): Promise<vscode.Uri> {
  const uri = file(name);
  await vscode.commands.executeCommand('ilvr.exportTrace', run, uri);
  const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  return writeText(name, text.replaceAll(run, id));
}

async function children(run: string): Promise<string[]> {
  const runs = await (await inspector()).runs();
  return runs.filter(({ branch: of }) => of?.parent === run).map(({ id }) => id);
}

export function suite(claim: DeclareClaim): void {
  claim(
    'a run goes on from a block with other words, a region hidden or latents zeroed, and reads its prompt not again',
    async () => {
      const api = await inspector();
      const { runId } = await reason(file('map-05.png'));
      const parent = await api.traceOf(runId);
      const at = parent.blocks[1]!.startToken;
      const id = await branch(runId, { at, text: 'down' });
      const made = await api.traceOf(id);
      assert.deepEqual(made.branch?.parent, runId);
      assert.equal(made.tokens[at]?.text, 'down');
      assert.deepEqual(made.tokens.slice(0, at), parent.tokens.slice(0, at));
      assert.ok(made.timings.some(({ name }) => /^read prompt, \d+ tokens of the parent, reused/.test(name)));
      const picture = parent.pictures[0]!.id;
      const hidden = await branch(id, { at, mask: { picture, patches: [0, 1] }, latents: 'zero' });
      assert.deepEqual((await api.traceOf(hidden)).branch?.masks, [{ from: at, picture, patches: [0, 1] }]);
      const lines = await api.runLines();
      const place = (run: string): number => lines.findIndex((line) => line.id === run);
      // Each below what it branched from.
      assert.deepEqual([place(id) - place(runId), place(hidden) - place(id)], [1, 1]);
      assert.match(String(lines[place(id)]?.description), /from token \d+: “down”/);
      await assert.rejects(
        branch(runId, { at, mask: { picture, patches: [9999] } }),
        /not within the picture/,
      );
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'a branch is fed the teacher’s selection where the run has helper pictures, or its own latents in another order',
    async () => {
      const api = await inspector();
      const helpers = [file('map-01-helper-1.png'), file('map-01-helper-2.png')];
      const { runId } = await reason(file('map-01.png'), { helpers });
      const at = (await api.traceOf(runId)).blocks[0]!.startToken;
      for (const latents of ['oracle', 'shuffle']) {
        const made = await api.traceOf(await branch(runId, { at, latents }));
        assert.deepEqual([made.settings.intervention, made.branch?.parent], [latents, runId]);
      }
      const { runId: plain } = await reason(file('map-01.png'));
      await assert.rejects(branch(plain, { at, latents: 'oracle' }), /the run has no helper pictures/);
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'run once more, a branch comes to the same tokens',
    async () => {
      const api = await inspector();
      const { runId } = await reason(file('map-01.png'));
      const at = (await api.traceOf(runId)).blocks[0]!.startToken;
      const first = await branch(runId, { at, temperature: 1.5, seed: 7 });
      const again = await vscode.commands.executeCommand<RunResult>('ilvr.runAgain', first);
      const [one, two] = [await api.traceOf(first), await api.traceOf(again.runId)];
      assert.notEqual(one.id, two.id);
      assert.deepEqual(
        two.tokens.map(({ id }) => id),
        one.tokens.map(({ id }) => id),
      );
      assert.deepEqual(two.branch, one.branch);
      await eventually('the panel', async () => (await inspector()).panelRuns().length > 0);
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'the trace of a file goes on as a run that is kept once, its branches below it, and again with the same tokens',
    async () => {
      const api = await inspector();
      const { runId } = await reason(file('map-05.png'));
      const own = await api.traceOf(runId);
      const at = own.blocks[1]!.startToken;
      const elsewhere = await traceFile(runId, 'elsewhere.ilvr.json', 'run-of-another-machine');
      await vscode.commands.executeCommand('vscode.open', elsewhere);
      const before = new Set((await api.runs()).map(({ id }) => id));
      const first = await branch(elsewhere, { at, text: 'down' });
      const made = await api.traceOf(first);
      const parent = made.branch!.parent;
      assert.deepEqual(made.tokens.slice(0, at), own.tokens.slice(0, at));
      assert.equal(made.tokens[at]?.text, 'down');
      const kept = await api.traceOf(parent);
      assert.deepEqual({ ...kept, id: runId }, { ...own, arrays: kept.arrays });

      const second = await branch(elsewhere, { at, latents: 'zero' });
      assert.deepEqual((await children(parent)).toSorted(), [first, second].toSorted());
      const added = (await api.runs()).filter(({ id }) => !before.has(id));
      assert.deepEqual(added.map(({ id }) => id).toSorted(), [parent, first, second].toSorted());
      assert.equal(added.find(({ id }) => id === parent)?.name, 'elsewhere');
      const lines = (await api.runLines()).map(({ id }) => id);
      assert.ok(lines.indexOf(first) > lines.indexOf(parent), 'the branch stands below its parent');

      const again = await vscode.commands.executeCommand<RunResult>('ilvr.runAgain', first);
      const twice = await api.traceOf(again.runId);
      assert.deepEqual(
        twice.tokens.map(({ id }) => id),
        made.tokens.map(({ id }) => id),
      );
      assert.equal(twice.branch?.parent, parent);
      // The parent itself is a run like any other.
      const whole = await vscode.commands.executeCommand<RunResult>('ilvr.runAgain', parent);
      assert.deepEqual(
        (await api.traceOf(whole.runId)).tokens.map(({ id }) => id),
        own.tokens.map(({ id }) => id),
      );
      // What was exported here is the run it was exported from.
      const ours = await branch(await traceFile(runId, 'ours.ilvr.json'), { at });
      assert.equal((await api.traceOf(ours)).branch?.parent, runId);
    },
    { timeoutMs: 6 * RUN_MS },
  );

  claim(
    'a trace file in front goes on from what is looked at there, as its reader chooses, in the panel of its run',
    async () => {
      const api = await inspector();
      const { runId } = await reason(file('map-02.png'));
      const shown = await traceFile(runId, 'shown.ilvr.json', 'shown-elsewhere');
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      await vscode.commands.executeCommand('vscode.openWith', shown, 'ilvr.trace');
      const link = (): Thenable<string> => vscode.commands.executeCommand<string>('ilvr.copyLink');
      await eventually('what is looked at', async () => /latent=/.test(await link()), RUN_MS);
      const kept = (await api.runs()).length;
      const left = vscode.commands.executeCommand('ilvr.branch');
      await pressUntilDone(left, 'workbench.action.closeQuickOpen');
      assert.equal((await api.runs()).length, kept, 'nothing is kept of a dialog that was left');
      // A page that takes the focus while it loads closes a dialog, as a reader's click would.
      const result = await eventually(
        'the branch',
        async () => {
          const done = vscode.commands.executeCommand<RunResult | undefined>('ilvr.branch');
          await pressUntilDone(done, 'workbench.action.acceptSelectedQuickOpenItem', RUN_MS);
          return done;
        },
        RUN_MS,
      );
      const made = await api.traceOf(result.runId);
      const { history } = api.panelRuns().find((panel) => panel.shown === made.id)!;
      assert.deepEqual(history, [made.branch!.parent, made.id]);
      assert.notEqual(made.branch!.parent, runId);
    },
    { timeoutMs: 3 * RUN_MS },
  );

  claim(
    'a trace file of another model than the one that is set is told both, and goes on when that one is chosen',
    async () => {
      const configuration = vscode.workspace.getConfiguration('ilvr');
      const folderOf = (name: string): string => join(extension().extensionPath, 'models', name);
      try {
        const { runId } = await reason(file('map-03.png'));
        const other = await traceFile(runId, 'other-model.ilvr.json', 'of-another-model');
        await configuration.update('model', folderOf('control-bypassed'), vscode.ConfigurationTarget.Global);
        await assert.rejects(
          branch(other, { at: 1 }),
          /needs the model that made the run: expected maze .*found control-bypassed .*Choose its folder/,
        );
        // The message's button, then the first of the models, which is the bundled one.
        await vscode.commands.executeCommand('notification.acceptPrimaryAction');
        const api = await inspector();
        const parent = (await api.runs()).find(({ name }) => name === 'other-model')!.id;
        const made = await eventually(
          'the branch',
          async () => {
            await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
            return (await children(parent))[0];
          },
          RUN_MS,
        );
        await eventually('its end', async () => (await api.traceOf(made)).status === 'complete', RUN_MS);
        assert.equal(vscode.workspace.getConfiguration('ilvr').get('model'), '');
      } finally {
        await configuration.update('model', undefined, vscode.ConfigurationTarget.Global);
        await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      }
    },
    { timeoutMs: 3 * RUN_MS },
  );
}
