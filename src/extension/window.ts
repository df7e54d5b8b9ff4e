/**
 * Everything of the window that shows text. Names, errors and fields of traces come from strangers, and VS Code
 * renders links in notifications, progress, prompts and hovers, and icons in pickers and the status bar; so the
 * linter lets no other file call these parts of VS Code, and here all text becomes plain.
 */

import * as vscode from 'vscode';
import { messageOf } from '../base/errors.ts';
import { oneLine, plainText } from '../base/plainText.ts';
import type { Markup } from './markup.ts';

/** Of names and details in lists: more does not fit a line. */
const MAX_LABEL = 300;

/** A button under a message. */
export interface Button {
  title: string;
  run: () => unknown;
}

/** Shows an error; resolves when a button was pressed and has done its work, or the message is gone. */
export async function showError(message: string, buttons: readonly Button[]): Promise<void> {
  await press(await vscode.window.showErrorMessage(plainText(message), ...titlesOf(buttons)), buttons);
}

/** Shows a message that is no error; resolves as `showError` does. */
export async function showInformation(message: string, buttons: readonly Button[]): Promise<void> {
  await press(await vscode.window.showInformationMessage(plainText(message), ...titlesOf(buttons)), buttons);
}

/** An error for VS Code to show by itself, as in the place of an editor. */
export function shownError(error: unknown): Error {
  return new Error(plainText(messageOf(error)), { cause: error });
}

/** Shows in the status bar that something goes on. */
export function showWork<T>(title: string, work: () => Promise<T>): Thenable<T> {
  const options = { location: vscode.ProgressLocation.Window, title: plainText(title, MAX_LABEL) };
  return vscode.window.withProgress(options, work);
}

/** Shows a notification with a cancel button until `work` is done. */
export function showProgress<T>(
  title: string,
  work: (report: (message: string) => void, token: vscode.CancellationToken) => Promise<T>,
): Thenable<T> {
  const location = vscode.ProgressLocation.Notification;
  return vscode.window.withProgress(
    { location, title: plainText(title, MAX_LABEL), cancellable: true },
    (progress, token) => work((message) => progress.report({ message: plainText(message) }), token),
  );
}

/** A line of a list; whatever else it carries comes back when it is chosen. */
export interface Choice {
  label: string;
  description?: string;
  detail?: string;
  /** Id of a product icon. */
  icon?: string;
}

export interface ListOptions {
  title: string;
  placeholder?: string;
  matchOnDetail?: boolean;
  ignoreFocusOut?: boolean;
}

/** Asks for one of several; undefined when the list was left. */
export async function choose<Item extends Choice>(
  items: readonly Item[],
  { title, placeholder, ...options }: ListOptions,
): Promise<Item | undefined> {
  const picked = await vscode.window.showQuickPick(items.map(shown), {
    ...options,
    title: plainText(title, MAX_LABEL),
    ...(placeholder !== undefined && { placeHolder: plainText(placeholder, MAX_LABEL) }),
  });
  return picked?.item;
}

/**
 * Asks for one of several or a text of one's own, which stands first once something is typed.
 * @param typed the line for what was typed; lines with its label are left out
 */
export async function chooseOrType<Item extends Choice>(
  items: readonly Item[],
  typed: (value: string) => Item,
  { title, placeholder, step, totalSteps }: ListOptions & { step?: number; totalSteps?: number },
): Promise<Item | undefined> {
  const picker = vscode.window.createQuickPick<ReturnType<typeof shown<Item>>>();
  picker.title = plainText(title, MAX_LABEL);
  picker.placeholder = plainText(placeholder ?? '', MAX_LABEL);
  [picker.step, picker.totalSteps, picker.ignoreFocusOut] = [step, totalSteps, true];
  picker.items = items.map(shown);
  picker.onDidChangeValue((value) => {
    const own = { ...shown(typed(value)), alwaysShow: true };
    const others = items.filter(({ label }) => label !== value).map(shown);
    picker.items = value === '' ? items.map(shown) : [own, ...others];
  });
  return new Promise((resolve) => {
    picker.onDidAccept(() => {
      resolve(picker.selectedItems[0]?.item ?? typed(picker.value));
      picker.dispose();
    });
    picker.onDidHide(() => {
      resolve(undefined);
      picker.dispose();
    });
    picker.show();
  });
}

/** Asks for something that nobody else may see; undefined when it was left, or nothing was typed. */
export async function askSecret(title: string, prompt: string): Promise<string | undefined> {
  const typed = await vscode.window.showInputBox({
    title: plainText(title, MAX_LABEL),
    prompt: plainText(prompt),
    password: true,
    ignoreFocusOut: true,
  });
  return typed === undefined || typed.trim() === '' ? undefined : typed.trim();
}

/** Asks for a line of text that may be empty; undefined when it was left. `value` is what is typed already. */
export async function askText(title: string, prompt: string, value = ''): Promise<string | undefined> {
  return vscode.window.showInputBox({
    title: plainText(title, MAX_LABEL),
    prompt: plainText(prompt),
    value: oneLine(value),
    ignoreFocusOut: true,
  });
}

/** One item in the status bar; hidden until it is shown. */
export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;

  /** @param priority higher is further left */
  constructor(id: string, { name, command, priority }: { name: string; command: string; priority: number }) {
    this.item = vscode.window.createStatusBarItem(id, vscode.StatusBarAlignment.Right, priority);
    this.item.name = name;
    this.item.command = command;
  }

  /**
   * @param icon id of a product icon
   * @param spoken what a screen reader says
   */
  show({ icon, text, tooltip, spoken }: Record<'icon' | 'text' | 'tooltip' | 'spoken', string>): void {
    this.item.text = `$(${icon}) ${plainText(text, MAX_LABEL)}`;
    this.item.tooltip = linesOf(tooltip);
    this.item.accessibilityInformation = { label: plainText(spoken, MAX_LABEL) };
    this.item.show();
  }

  hide(): void {
    this.item.hide();
  }

  dispose(): void {
    this.item.dispose();
  }
}

/** A page of ours in the editor area; its script runs, and may load what lies in `root`. */
export function createPage(
  type: string,
  title: string,
  root: vscode.Uri,
  column = vscode.ViewColumn.Active,
): vscode.WebviewPanel {
  return vscode.window.createWebviewPanel(type, plainText(title, MAX_LABEL), column, {
    enableScripts: true,
    localResourceRoots: [root],
  });
}

/** A hover of several parts. Only a part without text from outside may call commands, and only those it names. */
export function hoverOf(parts: readonly Markup[], range?: vscode.Range): vscode.Hover {
  return new vscode.Hover(
    parts.map(({ source, commands }) => {
      const part = new vscode.MarkdownString(source);
      if (commands.length > 0) part.isTrusted = { enabledCommands: commands };
      return part;
    }),
    range,
  );
}

/** A line of an outline. */
export function outlineSymbol(
  { name, detail, kind }: { name: string; detail: string; kind: vscode.SymbolKind },
  range: vscode.Range,
): vscode.DocumentSymbol {
  // VS Code refuses a symbol without a name.
  const shownName = plainText(name, MAX_LABEL).trim() || '…';
  return new vscode.DocumentSymbol(shownName, plainText(detail, MAX_LABEL), kind, range, range);
}

/** A line of a tree, and what a screen reader says of it. */
export interface TreeLine {
  /** Of its own among all lines of the tree. */
  id: string;
  label: string;
  /** Beside the label, dimmed. */
  description?: string;
  /** Lines. */
  tooltip?: string;
  spoken: string;
  icon?: { id: string; colour?: string };
  /** For the manifest's `when` clauses. */
  kind: string;
  /** Whether there are lines below it, which are shown at first. */
  isGroup?: boolean;
  /** What Enter and a click do. */
  command?: vscode.Command;
}

/** A line as VS Code takes it. */
export function treeItem(line: TreeLine): vscode.TreeItem {
  const { Expanded, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(
    plainText(line.label, MAX_LABEL) || '…',
    line.isGroup === true ? Expanded : None,
  );
  [item.id, item.contextValue] = [line.id, line.kind];
  item.accessibilityInformation = { label: plainText(line.spoken) };
  item.description = plainText(line.description ?? '', MAX_LABEL);
  item.tooltip = linesOf(line.tooltip ?? '');
  const { icon, command } = line;
  if (icon !== undefined) {
    const colour = icon.colour === undefined ? undefined : new vscode.ThemeColor(icon.colour);
    item.iconPath = new vscode.ThemeIcon(icon.id, colour);
  }
  if (command !== undefined) item.command = command;
  return item;
}

/** A tree of a view of the manifest, several lines of which can be selected. */
export function showTree<Node>(view: string, provider: vscode.TreeDataProvider<Node>): vscode.TreeView<Node> {
  return vscode.window.createTreeView(view, { treeDataProvider: provider, canSelectMany: true });
}

function shown<Item extends Choice>(item: Item): vscode.QuickPickItem & { item: Item } {
  const { label, description, detail, icon } = item;
  return {
    item,
    label: plainText(label, MAX_LABEL),
    ...(description !== undefined && { description: plainText(description, MAX_LABEL) }),
    ...(detail !== undefined && { detail: plainText(detail, MAX_LABEL) }),
    ...(icon !== undefined && { iconPath: new vscode.ThemeIcon(icon) }),
  };
}

/** Each line plain, by itself. */
function linesOf(text: string): string {
  return text
    .split('\n')
    .map((line) => plainText(line))
    .join('\n');
}

function titlesOf(buttons: readonly Button[]): string[] {
  return buttons.map(({ title }) => plainText(title, MAX_LABEL));
}

async function press(title: string | undefined, buttons: readonly Button[]): Promise<void> {
  const at = title === undefined ? -1 : titlesOf(buttons).indexOf(title);
  await buttons[at]?.run();
}
