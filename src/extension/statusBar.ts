/** One item in the status bar: the model and its device; pressing it chooses another model. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../base/disposable.ts';
import { messageOf } from '../base/errors.ts';
import { deviceLabel } from '../tensor/device.ts';
import type { EngineService } from './engineService.ts';
import type { Runs } from './run/runs.ts';
import { modelFolder, SECTION } from './settings.ts';
import { StatusItem } from './window.ts';

export class StatusBar implements Disposable {
  private readonly store = new DisposableStore();
  private readonly item: StatusItem;
  private readonly context: vscode.ExtensionContext;
  private readonly engine: EngineService;
  private readonly runs: Runs;

  constructor(context: vscode.ExtensionContext, engine: EngineService, runs: Runs) {
    this.context = context;
    this.engine = engine;
    this.runs = runs;
    this.item = this.store.add(
      new StatusItem('ilvr.model', {
        name: vscode.l10n.t('ILVR model'),
        command: 'ilvr.selectModel',
        priority: 50,
      }),
    );
    this.store.add(engine.onDidChange(() => this.update()));
    this.store.add(runs.onDidChange(() => this.update()));
    this.store.add(
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(SECTION)) this.update();
      }),
    );
    this.update();
  }

  dispose(): void {
    this.store.dispose();
  }

  private update(): void {
    const { state, loaded } = this.engine.status;
    const busy = state === 'loading' || this.runs.active().length > 0;
    const name = state === 'ready' && loaded ? loaded.model.name : this.configuredName();
    const device = state === 'ready' && loaded ? ` · ${deviceLabel(loaded.device.provider)}` : '';
    this.item.show({
      icon: busy ? 'sync~spin' : 'eye',
      text: `${name}${device}`,
      tooltip: this.tooltip(),
      spoken: vscode.l10n.t('ILVR model {0}{1}', name, device),
    });
  }

  private configuredName(): string {
    try {
      return basename(modelFolder(this.context));
    } catch (error) {
      // A bad setting is told when it is used; here it only has no name.
      return messageOf(error).slice(0, 20);
    }
  }

  private tooltip(): string {
    const { state, loaded } = this.engine.status;
    if (state !== 'ready' || loaded === undefined)
      return vscode.l10n.t('ILVR: no model is open. Press to choose one.');
    const { model, device, plan } = loaded;
    return [
      `${model.name}: ${model.architecture}, ${(model.parameters / 1e6).toFixed(1)} M, ${model.dtype}`,
      plan.reason,
      `${deviceLabel(device.provider)}: ${device.name}`,
      device.reason,
    ].join('\n');
  }
}
