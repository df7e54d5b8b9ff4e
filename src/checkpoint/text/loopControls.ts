/**
 * `{% continue %}` and `{% break %}` of chat templates. The template engine ends a turn of the loop by an
 * exception, which loses what the turn has written until then: a question in front of it would vanish. So the
 * parsed template is rewritten without them: what follows one stands under a condition.
 */

/** A node of the engine's parser, as far as loops go. */
export interface TemplateNode {
  type: string;
  body?: TemplateNode[];
  /** Of an `if`: what stands under `else`. */
  alternate?: TemplateNode[];
  /** Of a `for`: what stands under `else`. */
  defaultBlock?: TemplateNode[];
}

interface Flag {
  type: 'Identifier';
  value: string;
}

/** A turn that is over, and a loop that is; each loop has its own flags. */
interface Loop {
  skipped: Flag;
  left: Flag;
}

/**
 * The statements of a template without controls; nodes below them are changed in place.
 * @throws Error for a control outside a loop, as in Jinja, and in a loop with an `else`
 */
export function withoutLoopControls(statements: readonly TemplateNode[]): TemplateNode[] {
  return new Rewriter().block(statements, undefined);
}

class Rewriter {
  private loops = 0;

  /** @param loop the one around the statements */
  block(nodes: readonly TemplateNode[], loop: Loop | undefined): TemplateNode[] {
    for (const [i, node] of nodes.entries()) {
      if (isControl(node)) return [...nodes.slice(0, i), ...leave(node, loop)];
      const endsTurn = hasControl([node]);
      this.inside(node, loop);
      if (endsTurn && loop !== undefined)
        return [...nodes.slice(0, i + 1), unless(loop.skipped, this.block(nodes.slice(i + 1), loop))];
    }
    return [...nodes];
  }

  private inside(node: TemplateNode, loop: Loop | undefined): void {
    const { type, body, alternate, defaultBlock } = node;
    // Jinja goes there also if no turn came to its end.
    const hasElse = defaultBlock !== undefined && defaultBlock.length > 0;
    if (hasElse && (hasControl(body) || hasControl(defaultBlock)))
      throw new Error('{% continue %} or {% break %} in a loop with an else, which is not supported');
    if (type === 'For') node.body = this.turn(body ?? []);
    // A macro's body runs elsewhere.
    else if (body !== undefined) node.body = this.block(body, runsElsewhere(node) ? undefined : loop);
    if (alternate !== undefined) node.alternate = this.block(alternate, loop);
    if (defaultBlock !== undefined) node.defaultBlock = this.block(defaultBlock, loop);
  }

  /** The body of a loop. */
  private turn(body: readonly TemplateNode[]): TemplateNode[] {
    if (!hasControl(body)) return this.block(body, undefined);
    // No variable of a template has a space in its name.
    const flag = (name: string): Flag => ({ type: 'Identifier', value: `${name} ${this.loops}` });
    const loop = { skipped: flag('skipped'), left: flag('left') };
    this.loops++;
    // In this engine a variable of a loop outlives the turn, which `left` needs and `skipped` must not.
    return [unless(loop.left, [set(loop.skipped, 0), ...this.block(body, loop)])];
  }
}

function isControl({ type }: TemplateNode): boolean {
  return type === 'Continue' || type === 'Break';
}

function runsElsewhere({ type }: TemplateNode): boolean {
  return type === 'Macro' || type === 'CallStatement';
}

/** Whether a control of the loop around is among the statements, or below them. */
function hasControl(nodes: readonly TemplateNode[] | undefined): boolean {
  return (nodes ?? []).some((node) => {
    if (isControl(node)) return true;
    if (node.type === 'For') return hasControl(node.defaultBlock);
    return !runsElsewhere(node) && (hasControl(node.body) || hasControl(node.alternate));
  });
}

function leave({ type }: TemplateNode, loop: Loop | undefined): TemplateNode[] {
  if (loop === undefined) throw new Error(`{% ${type.toLowerCase()} %} outside a loop`);
  return [set(loop.skipped, 1), ...(type === 'Break' ? [set(loop.left, 1)] : [])];
}

/** `{% if not FLAG %}…{% endif %}` */
function unless(test: Flag, alternate: TemplateNode[]): TemplateNode {
  const node = { type: 'If', test, body: [], alternate };
  return node;
}

/** `{% set FLAG = VALUE %}` */
function set(assignee: Flag, value: 0 | 1): TemplateNode {
  const node = { type: 'Set', assignee, value: { type: 'IntegerLiteral', value }, body: [] };
  return node;
}
