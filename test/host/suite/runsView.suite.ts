/** Claims about runs at hand: the view of runs, its commands, the runs of one panel, links to places. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { AnalysisResult } from '../../../src/analysis/table.ts';
import type { RunResult } from '../../../src/extension/api.ts';
import { smallRun, smallTrace } from '../../fixtures/smallTrace.ts';
import { eventually, type DeclareClaim } from './claims.ts';
import {
  extension,
  file,
  inspector,
  pressUntilDone,
  reason,
  reasonUntilFirstLatent,
  RUN_MS,
  writeTraceFile,
} from './inspector.ts';

const MAP = 'map-01.png';
/** What samples.jsonl asks about it, so that it also knows the answer. */
const question = 'Find a safe path to the goal.';
const LINK = 'vscode://ilvr-inspector.ilvr-inspector/trace?';

/** The line of a run in the view. */
async function lineOf(runId: string): Promise<vscode.TreeItem> {
  const lines = await (await inspector()).runLines();
  const line = lines.find(({ id }) => id === runId);
  assert.ok(line, `no line for ${runId} among ${lines.map(({ id }) => id).join(', ')}`);
  return line;
}

/** The runs of the panel that shows one. */
async function panelOf(runId: string): Promise<string[]> {
  return eventually('its panel', async () => {
    const panels = (await inspector()).panelRuns();
    return panels.find(({ shown }) => shown === runId)?.history;
  });
}

async function closeAll(): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  await eventually('the panels to close', async () => (await inspector()).panelRuns().length === 0);
}

/** The place that the page in front shows, as the link to it says. */
async function copiedLink(): Promise<URLSearchParams> {
  const link = await vscode.commands.executeCommand<string>('ilvr.copyLink');
  assert.equal(await vscode.env.clipboard.readText(), link);
  return new URLSearchParams(link.slice(link.indexOf('?')));
}

export function suite(claim: DeclareClaim): void {
  const model = { timeoutMs: 2 * RUN_MS };
  let kept = '';

  claim(
    'a run in the view has its picture, question, answer, whether it is right, model, device and time',
    async () => {
      const { runId } = await reason(file(MAP), { question });
      kept = runId;
      const trace = await (await inspector()).traceOf(runId);
      assert.ok(trace.verdict, 'the samples file knows this picture');
      const line = await lineOf(runId);
      assert.equal(line.label, MAP);
      assert.equal(line.contextValue, 'run');
      assert.deepEqual(line.command?.arguments, [runId]);
      for (const text of [question, trace.model.name, trace.device.name, trace.model.weights ?? 'float32']) {
        assert.ok(typeof line.tooltip === 'string' && line.tooltip.includes(text), `${text} in the tooltip`);
        assert.ok(line.accessibilityInformation?.label.includes(text), `${text} is not spoken`);
      }
      assert.match(String(line.description), trace.verdict.right ? /✓ · / : /✗ · /);
      assert.match(
        line.accessibilityInformation?.label ?? '',
        trace.verdict.right ? /\. right\./ : /\. wrong\./,
      );
    },
    model,
  );

  claim(
    'every line of the view says what it is to a screen reader, and days come before their runs',
    async () => {
      const lines = await (await inspector()).runLines();
      assert.equal(lines[0]?.contextValue, 'day');
      assert.equal(lines[0]?.label, 'Today');
      for (const { accessibilityInformation } of lines) assert.ok(accessibilityInformation?.label);
    },
  );

  claim(
    'a run is in the view while it goes on, and says how far it is',
    async () => {
      const { tokens } = await (await inspector()).traceOf(kept);
      const word = tokens.find(({ kind }) => kind === 'text');
      const end = tokens.findIndex(({ kind }) => kind === 'end');
      assert.ok(word && end > 0);
      const force = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [end + i, word.id]));
      const { runId, done } = await reasonUntilFirstLatent(file(MAP), {
        question,
        settings: { force, maxTokens: 1200 },
      });
      const line = await lineOf(runId);
      assert.equal(line.contextValue, 'run.live');
      assert.match(String(line.description), /\d+ steps, \d+ latent blocks, \d+ tokens/);
      await vscode.commands.executeCommand('ilvr.stop', runId);
      await done;
      assert.equal((await lineOf(runId)).contextValue, 'run');
      assert.match((await lineOf(runId)).accessibilityInformation?.label ?? '', /stopped/);
    },
    model,
  );

  claim(
    'whether an answer is right is said also of a run that the window has forgotten, made again or gone on with',
    async () => {
      await closeAll();
      const api = await inspector();
      const first = await reason(file(MAP), { question });
      // The window keeps the last five, and knows of others what it would know after a restart.
      for (let i = 0; i < 5; i++) await reason(file('map-05.png'), { settings: { maxTokens: 2 } });
      const { verdict, blocks } = await api.traceOf(first.runId);
      assert.ok(verdict, 'the samples file knows this picture');
      const again = await vscode.commands.executeCommand<RunResult>('ilvr.runAgain', first.runId);
      assert.deepEqual((await api.traceOf(again.runId)).verdict, verdict);
      const at = blocks[0]!.startToken;
      const branch = await vscode.commands.executeCommand<RunResult>('ilvr.branch', first.runId, { at });
      assert.deepEqual((await api.traceOf(branch.runId)).verdict, verdict);
      await vscode.commands.executeCommand('ilvr.openTrace', first.runId);
      const parameters = { variants: ['zero'], repeats: 1 };
      const { found } = await api
        .panelAnalyses(first.runId)!
        .analyse({ id: 1, run: first.runId, method: 'causality', parameters });
      const { own } = found!.result as AnalysisResult<'causality'>;
      assert.equal(own?.right, verdict.right);
      await closeAll();
    },
    { timeoutMs: 4 * RUN_MS },
  );

  claim('a run that was renamed has its name in the view, and by nothing is called as before', async () => {
    await vscode.commands.executeCommand('ilvr.renameRun', kept, 'the first one');
    assert.equal((await lineOf(kept)).label, 'the first one');
    await vscode.commands.executeCommand('ilvr.renameRun', kept, '');
    assert.equal((await lineOf(kept)).label, MAP);
  });

  claim(
    'a run again keeps the earlier one in the same panel, and names a setting that has changed',
    async () => {
      await closeAll();
      const settings = vscode.workspace.getConfiguration('ilvr');
      await settings.update('temperature', 0.25, vscode.ConfigurationTarget.Workspace);
      await settings.update('device', 'cpu', vscode.ConfigurationTarget.Workspace);
      try {
        const again = await vscode.commands.executeCommand<RunResult>('ilvr.runAgain', kept);
        assert.equal(again.status, 'complete');
        assert.deepEqual(await panelOf(again.runId), [kept, again.runId]);
        assert.match(String((await lineOf(again.runId)).description), /temperature 0\.25/);
        // The earlier one is still there, in the same panel.
        await vscode.commands.executeCommand('ilvr.openTrace', kept);
        assert.deepEqual(await panelOf(kept), [kept, again.runId]);
      } finally {
        await settings.update('temperature', undefined, vscode.ConfigurationTarget.Workspace);
      }
    },
    model,
  );

  claim(
    'a question that is asked again is offered for editing',
    async () => {
      const done = vscode.commands.executeCommand<RunResult>('ilvr.askAgain', kept);
      await pressUntilDone(done, 'workbench.action.acceptSelectedQuickOpenItem');
      const { runId } = await done;
      assert.equal((await (await inspector()).traceOf(runId)).question, question);
      assert.equal((await panelOf(runId)).length, 3);
    },
    model,
  );

  claim(
    'several pictures in one question are named so in the tab and in the view',
    async () => {
      const targets = [file('map-01.png'), file('map-02.png'), file('map-03.png')];
      const { runId } = await vscode.commands.executeCommand<RunResult>('ilvr.reason', targets, {
        question,
        settings: { device: 'cpu' },
      });
      assert.equal((await lineOf(runId)).label, 'map-01.png + 2');
      // The window tells of a new tab when it has time.
      await eventually('its tab', () =>
        vscode.window.tabGroups.all.some(({ tabs }) =>
          tabs.some(({ label }) => label === 'ILVR: map-01.png + 2'),
        ),
      );
    },
    model,
  );

  claim('two runs open side by side, each in a panel and a column of its own', async () => {
    await closeAll();
    const [left, right] = (await (await inspector()).runs()).map(({ id }) => id);
    await vscode.commands.executeCommand('ilvr.openBeside', left, [left, right]);
    await panelOf(left!);
    await panelOf(right!);
    await eventually('two columns', () => vscode.window.tabGroups.all.length === 2);
    await closeAll();
  });

  claim('a link leads to the latent, layer, head and kind that it was copied at', async () => {
    await vscode.commands.executeCommand('ilvr.openTrace', kept);
    const { model: of } = await (await inspector()).traceOf(kept);
    const place = { latent: '3', layer: String(of.layers), heads: '1', kind: 'similarity' };
    await vscode.commands.executeCommand(
      'ilvr.openLink',
      `${LINK}${new URLSearchParams({ id: kept, ...place })}`,
    );
    await eventually('the place', async () => {
      const link = Object.fromEntries(await copiedLink());
      return Object.entries({ id: kept, ...place }).every(([part, value]) => link[part] === value);
    });
  });

  claim('a link finds the file of its trace in the workspace by name and id', async () => {
    await closeAll();
    const { id } = smallTrace();
    const name = 'linked & 100 %.ilvr.json';
    const uri = await writeTraceFile(name, smallRun());
    const part = encodeURIComponent(encodeURIComponent(name));
    await eventually('the file to be found', async () => {
      await vscode.commands.executeCommand('ilvr.openLink', `${LINK}id=${id}&file=${part}&latent=2&layer=2`);
      return vscode.window.tabGroups.all
        .flatMap(({ tabs }) => tabs)
        .some(({ input }) => input instanceof vscode.TabInputCustom && input.uri.path === uri.path);
    });
    await eventually('the place', async () => (await copiedLink()).get('latent') === '2');
    assert.equal((await copiedLink()).get('layer'), '2');
  });

  claim('a link that is no place of a trace is refused, and one to another program is', async () => {
    const refusal = async (link: string): Promise<string> =>
      vscode.commands.executeCommand('ilvr.openLink', link).then(
        () => assert.fail(`${link} was not refused`),
        (error: Error) => error.message,
      );
    assert.match(await refusal(`${LINK}id=a&file=..%252Fsecret.ilvr.json`), /This link cannot be read.*file/);
    assert.match(await refusal(`${LINK}id=${kept}&latent=9999`), /no such latent as the link names/);
    assert.match(await refusal('https://example.org/trace?id=a'), /This is no link to a trace/);
    assert.match(await refusal('file:///etc/passwd'), /This is no link to a trace/);
  });

  claim('a link to a trace that is not here opens nothing', async () => {
    await closeAll();
    await vscode.commands.executeCommand('ilvr.openLink', `${LINK}id=elsewhere&file=other.ilvr.json`);
    assert.equal((await inspector()).panelRuns().length, 0);
    await vscode.commands.executeCommand('notifications.clearAll');
  });

  claim(
    'a run is deleted only when its user is sure, and its panel then shows another or closes',
    async () => {
      const api = await inspector();
      await vscode.commands.executeCommand('ilvr.openTrace', kept);
      await panelOf(kept);
      const left = vscode.commands.executeCommand('ilvr.deleteRun', kept);
      await pressUntilDone(left, 'workbench.action.closeQuickOpen');
      assert.ok(
        (await api.runs()).some(({ id }) => id === kept),
        'it was deleted',
      );
      await pressUntilDone(
        vscode.commands.executeCommand('ilvr.deleteRun', kept),
        'workbench.action.acceptSelectedQuickOpenItem',
      );
      assert.ok(!(await api.runs()).some(({ id }) => id === kept), 'it is still listed');
      await assert.rejects(api.traceOf(kept), /no longer kept/);
      await eventually('its panel to close', () => api.panelRuns().length === 0);
    },
  );

  claim('the view has a welcome with the next steps, and its keys', () => {
    const { contributes } = extension().packageJSON as {
      contributes: {
        viewsWelcome: { view: string; contents: string }[];
        keybindings: { command: string; key: string }[];
        walkthroughs: { id: string }[];
      };
    };
    const contents = contributes.viewsWelcome.map((welcome) => welcome.contents).join('\n');
    for (const command of ['ilvr.reason', 'ilvr.getModel', 'ilvr.openTrace']) {
      assert.ok(contents.includes(`(command:${command})`), command);
    }
    const [, walkthrough] = /openWalkthrough\?([^)]+)\)/.exec(contents) ?? [];
    const target = JSON.parse(decodeURIComponent(walkthrough ?? '')) as string;
    assert.ok(contributes.walkthroughs.some(({ id }) => target === `ilvr-inspector.ilvr-inspector#${id}`));
    const keys = contributes.keybindings.map(({ command, key }) => `${command} ${key}`);
    assert.ok(keys.includes('ilvr.deleteRun delete') && keys.includes('ilvr.renameRun f2'));
  });
}
