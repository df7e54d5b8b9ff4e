/** Claims about runs: the command, the panel's trace, cancelling, a killed engine, bad inputs. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { RunResult } from '../../../src/extension/api.ts';
import type { ReasonEvent } from '../../../src/trace/events.ts';
import { kindsFor, type MapSelector } from '../../../src/trace/maps.ts';
import type { Trace } from '../../../src/trace/schema.ts';
import { openTrace } from '../../../src/traceFile/openTrace.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import {
  blockLine,
  file,
  hoverAt,
  inspector,
  longRun,
  openText,
  reason,
  reasonUntilFirstLatent,
  RUN_MS,
  writeText,
} from './inspector.ts';

const MAP = 'map-01.png';
const QUESTION = 'Find a safe path to the goal.';

/** Runs and collects what the engine sent. */
async function recordRun(): Promise<{ trace: Trace; events: ReasonEvent[] }> {
  const api = await inspector();
  const happened: { runId: string; event: ReasonEvent }[] = [];
  const listener = api.onEvent((event) => happened.push(event));
  try {
    const { runId, status } = await reason(file(MAP), { question: QUESTION });
    assert.equal(status, 'complete');
    const events = happened.filter((entry) => entry.runId === runId).map(({ event }) => event);
    return { trace: await api.traceOf(runId), events };
  } finally {
    listener.dispose();
  }
}

/** The message that `ilvr.reason` rejects with. */
async function refusal(...args: Parameters<typeof reason>): Promise<string> {
  return reason(...args).then(
    ({ status }) => assert.fail(`the run was not refused but ended: ${status}`),
    (error: Error) => error.message,
  );
}

/** Of the open webview tabs, those of run panels. */
function runPanels(): vscode.Tab[] {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .filter(({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith('ilvr.panel'));
}

async function closeAll(): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
}

export function suite(claim: DeclareClaim): void {
  const model = { timeoutMs: 2 * RUN_MS };

  claim(
    'reasoning about an image gives the blocks, latents and maps that the engine sent',
    async () => {
      await closeAll();
      const { trace, events } = await recordRun();
      const count = (type: ReasonEvent['type']): number =>
        events.filter((event) => event.type === type).length;
      assert.ok(trace.blocks.length > 0, 'no latent block');
      assert.equal(trace.blocks.length, count('block-start'));
      assert.equal(trace.latents.length, count('latent'));
      assert.equal(trace.tokens.length, count('token'));
      for (const block of trace.blocks) {
        assert.equal(trace.latents.filter((latent) => latent.block === block.index).length, block.latents);
      }
      const [picture] = trace.pictures;
      assert.ok(picture);
      const target = file('maps.ilvr.json');
      await vscode.commands.executeCommand('ilvr.exportTrace', trace.id, target);
      const { maps, trace: exported } = await openTrace(target.fsPath);
      for (const kind of kindsFor(picture)) {
        const selector: MapSelector = { kind, picture: picture.id, layer: 'mean', heads: 'mean' };
        await maps.load(selector);
        for (const latent of exported.latents) {
          assert.equal(maps.map(latent, selector)?.values.length, picture.grid.rows * picture.grid.columns);
        }
      }
      await eventually('its panel', () => runPanels().length === 1);
    },
    model,
  );

  claim(
    'a run is kept and listed, newest first',
    async () => {
      const api = await inspector();
      const { trace } = await recordRun();
      const [newest] = await api.runs();
      assert.equal(newest?.id, trace.id);
      assert.deepEqual(newest?.pictures, [MAP]);
    },
    model,
  );

  claim(
    'a run as text has hovers with pictures on its latents',
    async () => {
      const { trace } = await recordRun();
      const document = await openText(trace.id);
      const line = blockLine(document, 0);
      const column = document.lineAt(line).text.lastIndexOf(' 1:') + 1;
      const parts = await hoverAt(document, new vscode.Position(line, column));
      assert.ok(parts.some((part) => part.includes('](data:image/png;base64,')));
      for (const part of parts) assert.ok(part.length < 100_000);
    },
    model,
  );

  claim(
    'an example is drawn anew, asked of the model that knows it, and stays with that model when it runs again',
    async () => {
      const api = await inspector();
      const runs: Trace[] = [];
      for (const example of ['world', 'maze', 'world']) {
        const { runId, status } = await vscode.commands.executeCommand<RunResult>(
          'ilvr.reasonAboutExample',
          example,
        );
        assert.equal(status, 'complete');
        runs.push(await api.traceOf(runId));
      }
      assert.deepEqual(
        runs.map(({ model: { name } }) => name),
        ['worlds', 'maze', 'worlds'],
      );
      for (const { blocks, pictures } of runs) {
        assert.ok(blocks.length >= 3, `${blocks.length} blocks`);
        assert.equal(pictures.filter(({ role }) => role === 'helper').length, blocks.length);
      }
      assert.notEqual(runs[0]!.pictures[0]!.png.sha256, runs[2]!.pictures[0]!.png.sha256);
      const again = await vscode.commands.executeCommand<RunResult>('ilvr.runAgain', runs[2]!.id);
      assert.equal((await api.traceOf(again.runId)).model.name, 'worlds');
    },
    model,
  );

  claim(
    'helper images are compared with every latent',
    async () => {
      const helpers = [file('map-01-helper-1.png'), file('map-01-helper-2.png')];
      const { runId } = await reason(file(MAP), { question: QUESTION, helpers });
      const trace = await (await inspector()).traceOf(runId);
      const ids = trace.pictures.filter(({ role }) => role === 'helper').map(({ id }) => id);
      assert.equal(ids.length, 2);
      for (const { comparisons } of trace.latents) {
        const compared = comparisons.map(({ picture }) => picture);
        assert.ok(ids.every((id) => compared.includes(id)));
      }
    },
    model,
  );

  claim(
    'a run that was exported opens again equal',
    async () => {
      const { trace } = await recordRun();
      const target = file('run.ilvr.json');
      await vscode.commands.executeCommand('ilvr.exportTrace', trace.id, target);
      assert.deepEqual((await openTrace(target.fsPath)).trace, trace);
      await vscode.commands.executeCommand('vscode.open', target);
      await eventually('the trace editor', () =>
        vscode.window.tabGroups.all
          .flatMap(({ tabs }) => tabs)
          .some(
            ({ input }) =>
              input instanceof vscode.TabInputCustom &&
              input.viewType === 'ilvr.trace' &&
              input.uri.path === target.path,
          ),
      );
      // What is read back says the same, line by line and hover by hover.
      const [ofRun, ofFile] = [await openText(trace.id), await openText(target)];
      assert.notEqual(ofRun.uri.toString(), ofFile.uri.toString());
      assert.equal(ofFile.getText(), ofRun.getText());
      const at = new vscode.Position(blockLine(ofRun, 0), 6);
      const maps = (parts: string[]): string[] => parts.filter((part) => part.includes('](data:image/png'));
      const [shown, again] = [maps(await hoverAt(ofRun, at)), maps(await hoverAt(ofFile, at))];
      assert.ok(shown.length > 0);
      assert.deepEqual(again, shown);
    },
    model,
  );

  claim(
    'stopping a run keeps what it had given',
    async () => {
      const { runId, done } = await reasonUntilFirstLatent(file(MAP), await longRun(file(MAP)));
      await vscode.commands.executeCommand('ilvr.stop');
      assert.equal((await done).status, 'cancelled');
      const trace = await (await inspector()).traceOf(runId);
      assert.equal(trace.status, 'cancelled');
      assert.ok(trace.latents.length > 0);
      assert.ok(trace.blocks.every(({ ended }) => ended !== 'running'));
    },
    model,
  );

  claim(
    'an engine killed in the middle of a run leaves a partial trace, and the next run works',
    async () => {
      const api = await inspector();
      const { runId, done } = await reasonUntilFirstLatent(file(MAP), await longRun(file(MAP)));
      const pid = api.enginePid();
      assert.ok(pid);
      process.kill(pid, 'SIGKILL');
      const result = await done;
      assert.equal(result.status, 'failed');
      assert.match(result.failure ?? '', /engine process ended unexpectedly \(signal SIGKILL\)/);
      assert.match(api.lastError() ?? '', /ended unexpectedly/);
      const partial = await api.traceOf(runId);
      assert.equal(partial.status, 'failed');
      assert.ok(partial.latents.length > 0);
      const document = await openText(runId);
      assert.match(document.getText(), /# failed: The engine process ended unexpectedly/);
      const next = await reason(file(MAP), { question: QUESTION });
      assert.equal(next.status, 'complete');
      assert.notEqual(api.enginePid(), pid);
    },
    model,
  );

  claim(
    'a run whose engine hangs is stopped all the same and says so, and the next run works',
    async () => {
      const api = await inspector();
      const { runId, done } = await reasonUntilFirstLatent(file(MAP), await longRun(file(MAP)));
      const pid = api.enginePid();
      assert.ok(pid);
      process.kill(pid, 'SIGSTOP');
      await vscode.commands.executeCommand('ilvr.stop');
      const result = await done;
      assert.equal(result.status, 'cancelled');
      assert.match(result.failure ?? '', /did not stop within 5 s, so its process was ended/);
      const partial = await api.traceOf(runId);
      assert.equal(partial.status, 'cancelled');
      assert.ok(partial.latents.length > 0);
      assert.match((await openText(runId)).getText(), /# stopped: The engine did not stop within 5 s/);
      const next = await reason(file(MAP), { question: QUESTION });
      assert.equal(next.status, 'complete');
      assert.notEqual(api.enginePid(), pid);
    },
    model,
  );

  claim(
    'of two runs at once, one waits for the other and both complete',
    async () => {
      const api = await inspector();
      const order: string[] = [];
      const listener = api.onEvent(({ runId }) => {
        if (order.at(-1) !== runId) order.push(runId);
      });
      const results = await Promise.all([
        reason(file(MAP), { question: QUESTION }),
        reason(file('map-02.png'), { question: QUESTION }),
      ]);
      listener.dispose();
      assert.deepEqual(
        results.map(({ status }) => status),
        ['complete', 'complete'],
      );
      // Their events do not mix. Which one is first depends on whose picture is read sooner.
      assert.deepEqual(order.toSorted(), results.map(({ runId }) => runId).toSorted());
    },
    model,
  );

  claim(
    'a second run can stop the first',
    async () => {
      const first = await reasonUntilFirstLatent(file(MAP), await longRun(file(MAP)));
      const second = await reason(file('map-02.png'), { question: QUESTION, whenBusy: 'stop' });
      assert.equal((await first.done).status, 'cancelled');
      assert.equal(second.status, 'complete');
    },
    model,
  );

  claim('an empty question is refused', async () => {
    assert.match(await refusal(file(MAP), { question: '  ' }), /The question is empty/);
  });

  claim(
    'a file that is no image is refused by name',
    async () => {
      const uri = await writeText('fake.png', 'This is no picture.');
      assert.match(await refusal(uri, { question: QUESTION }), /fake\.png/);
    },
    model,
  );

  claim('an image that does not exist is refused by name', async () => {
    const message = await refusal(file('missing.png'), { question: QUESTION });
    assert.match(message, /This picture cannot be opened.*missing\.png/);
  });

  claim(
    'a folder without config.json is refused by name',
    async () => {
      const settings = { model: file('.').fsPath };
      // Not counted in tabs, which VS Code lists some time after they were opened.
      const api = await inspector();
      const before = api.panelRuns().map(({ shown }) => shown);
      assert.match(await refusal(file(MAP), { question: QUESTION, settings }), /config\.json/);
      // A run that never began leaves no empty panel.
      const added = (): boolean => api.panelRuns().some(({ shown }) => !before.includes(shown));
      await eventually('the panel to close', () => !added());
    },
    model,
  );

  claim(
    'an adapter folder that holds no adapter is refused by name',
    async () => {
      const settings = { adapter: file('.').fsPath };
      assert.match(await refusal(file(MAP), { question: QUESTION, settings }), /adapter_config\.json/);
    },
    model,
  );

  claim('a model folder without config.json cannot be selected', async () => {
    const message = await vscode.commands.executeCommand('ilvr.selectModel', file('.')).then(
      () => 'selected',
      (error: Error) => error.message,
    );
    assert.match(message, /holds no model.*config\.json/);
  });

  claim('a setting out of range is refused by name', async () => {
    const message = await refusal(file(MAP), { question: QUESTION, settings: { topP: 2 } });
    assert.match(message, /"ilvr\.topP" cannot be used: expected above 0 and at most 1, found 2/);
  });

  claim(
    'rules of the latent protocol in the settings hold for a run, stand in its trace, and are refused if there are none such',
    async () => {
      const settings = vscode.workspace.getConfiguration('ilvr');
      const set = (rules: object | undefined) =>
        settings.update('protocol', rules, vscode.ConfigurationTarget.Global);
      try {
        await set({ count: 3 });
        const { runId } = await reason(file(MAP), { question: QUESTION });
        const trace = await (await inspector()).traceOf(runId);
        assert.deepEqual(trace.settings.protocol, { count: 3 });
        assert.equal(trace.blocks[0]?.latents, 3);
        await set({ cuont: 3 });
        assert.match(await refusal(file(MAP), { question: QUESTION }), /cuont/);
      } finally {
        await set(undefined);
      }
    },
    model,
  );

  claim('the format of the weights and the device can be chosen by commands', async () => {
    const settings = () => vscode.workspace.getConfiguration('ilvr');
    assert.equal(await vscode.commands.executeCommand('ilvr.selectWeights', '4bit'), '4bit');
    assert.equal(settings().get('weights'), '4bit');
    assert.equal(await vscode.commands.executeCommand('ilvr.selectDevice', 'cpu'), 'cpu');
    assert.equal(settings().get('device'), 'cpu');
    assert.equal(await vscode.commands.executeCommand('ilvr.selectWeights', 'auto'), 'auto');
    assert.equal(await vscode.commands.executeCommand('ilvr.selectDevice', 'auto'), 'auto');
    assert.deepEqual([settings().get('weights'), settings().get('device')], ['auto', 'auto']);
  });

  claim(
    'weights in 8 bits are packed by the installed extension and told in the trace',
    async () => {
      const { runId, status } = await reason(file(MAP), {
        question: QUESTION,
        settings: { weights: '8bit' },
      });
      assert.equal(status, 'complete');
      assert.equal((await (await inspector()).traceOf(runId)).model.weights, '8bit');

      // By keyboard: the first of the list, "Remove", and so on until none is left and a message says so.
      let isLeft = false;
      const removed = Promise.resolve(vscode.commands.executeCommand<string[]>('ilvr.manageCaches')).finally(
        () => (isLeft = true),
      );
      await eventually(
        'the list of packed weights to be left',
        async () => {
          await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
          await vscode.commands.executeCommand('notifications.clearAll');
          return isLeft;
        },
        60_000,
      );
      assert.match((await removed).join(), /weights.*-8bit\.safetensors/);
    },
    model,
  );

  claim(
    'diagnosing the devices gives lines to read',
    async () => {
      const lines = await vscode.commands.executeCommand<string[]>('ilvr.diagnose');
      assert.ok(lines.length > 0);
    },
    model,
  );

  claim('closing all panels leaves no run behind', async () => {
    await closeAll();
    await eventually('the panels to close', () => runPanels().length === 0);
  });
}
