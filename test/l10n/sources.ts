/** Reads the sources for what is said in them: by the compiler's own parser, so that no literal is missed or invented. */

import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { API } from 'typescript/unstable/sync';
import { SyntaxKind, type Node, type SourceFile } from 'typescript/unstable/ast';

/** A literal of a source. */
export interface Literal {
  text: string;
  /** "src/webview/ui/Header.tsx:12" */
  place: string;
  node: Node;
}

/** A call of a function that translates. */
export interface Call {
  place: string;
  /** Literals that it may translate; absent where that cannot be read from the source. */
  messages: string[] | undefined;
  /** How many values the placeholders have. */
  values: number;
  /** It only marks the message, which is translated elsewhere. */
  isMark: boolean;
  isInFunction: boolean;
}

const TRANSLATORS: Record<string, { messages: number; first: number }> = {
  t: { messages: 1, first: 0 },
  'vscode.l10n.t': { messages: 1, first: 0 },
  plural: { messages: 2, first: 1 },
  message: { messages: 1, first: 0 },
};

/** Sources of one project of the repository. */
export class Sources implements Disposable {
  readonly files: SourceFile[];
  private readonly api: API;

  /** @param folder with a tsconfig.json, relative to the repository's root */
  constructor(folder: string) {
    this.api = new API({ cwd: process.cwd() });
    const [project] = this.api
      .updateSnapshot({ openProject: resolve(folder, 'tsconfig.json') })
      .getProjects();
    this.files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
      .toSorted()
      .flatMap((name) => project!.program.getSourceFile(resolve(join(folder, name))) ?? []);
  }

  /** All calls that translate. */
  calls(): Call[] {
    return this.files.flatMap((file) => nodesOf(file).flatMap((node) => callOf(node, file) ?? []));
  }

  /** String literals, parts of templates and text between tags, those that are translated left out. */
  literals(): Literal[] {
    return this.files.flatMap((file) =>
      nodesOf(file)
        .filter((node) => TEXTS.has(node.kind) && !isTranslated(node))
        .map((node) => ({ text: textOf(node), place: placeOf(node, file), node })),
    );
  }

  [Symbol.dispose](): void {
    this.api.close();
  }
}

const TEXTS = new Set([
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateHead,
  SyntaxKind.TemplateMiddle,
  SyntaxKind.TemplateTail,
  SyntaxKind.JsxText,
]);

const FUNCTIONS = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
]);

/** A node and all above it, itself first. */
export function* upwards(node: Node | undefined): Generator<Node> {
  for (let at = node; at !== undefined; at = at.parent) yield at;
}

function nodesOf(node: Node): Node[] {
  const nodes = [node];
  node.forEachChild((child) => void nodes.push(...nodesOf(child)));
  return nodes;
}

function textOf(node: Node): string {
  return (node as Node & { text: string }).text;
}

function placeOf(node: Node, file: SourceFile): string {
  const line = file.text.slice(0, node.getStart(file)).split('\n').length;
  return `${file.fileName.slice(process.cwd().length + 1)}:${line}`;
}

/** The name of the function that a node calls. */
export function calledName(node: Node): string | undefined {
  if (node.kind !== SyntaxKind.CallExpression && node.kind !== SyntaxKind.NewExpression) return undefined;
  return (node as Node & { expression: Node }).expression.getText();
}

function translator(node: Node): { messages: number; first: number } | undefined {
  const name = calledName(node);
  return name !== undefined && Object.hasOwn(TRANSLATORS, name) ? TRANSLATORS[name] : undefined;
}

function callOf(node: Node, file: SourceFile): Call | undefined {
  const known = translator(node);
  if (known === undefined) return undefined;
  const { arguments: all } = node as Node & { arguments: readonly Node[] };
  const { first, messages } = known;
  const read = all.slice(first, first + messages).map(messagesIn);
  return {
    place: placeOf(node, file),
    messages: read.includes(undefined) ? undefined : read.flat().map(String),
    values: all.length - messages,
    isMark: calledName(node) === 'message',
    isInFunction: [...upwards(node)].some(({ kind }) => FUNCTIONS.has(kind)),
  };
}

/** The literal, or those of a choice between some. */
function messagesIn(node: Node): string[] | undefined {
  if (node.kind === SyntaxKind.StringLiteral || node.kind === SyntaxKind.NoSubstitutionTemplateLiteral) {
    return [textOf(node)];
  }
  if (node.kind === SyntaxKind.ParenthesizedExpression) {
    return messagesIn((node as Node & { expression: Node }).expression);
  }
  if (node.kind === SyntaxKind.BinaryExpression) {
    const { left, right } = node as Node & { left: Node; right: Node };
    const [a, b] = [messagesIn(left), messagesIn(right)];
    return a?.length === 1 && b?.length === 1 ? [a[0]! + b[0]!] : undefined;
  }
  if (node.kind !== SyntaxKind.ConditionalExpression) return undefined;
  const { whenTrue, whenFalse } = node as Node & { whenTrue: Node; whenFalse: Node };
  const [yes, no] = [messagesIn(whenTrue), messagesIn(whenFalse)];
  return yes && no && [...yes, ...no];
}

/** Whether a literal is the message of a call that translates. */
function isTranslated(node: Node): boolean {
  for (const at of upwards(node)) {
    const known = at.parent && translator(at.parent);
    if (!known) continue;
    const place = (at.parent as Node & { arguments: readonly Node[] }).arguments.indexOf(at);
    if (place >= known.first && place < known.first + known.messages) return true;
  }
  return false;
}
