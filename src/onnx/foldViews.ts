/**
 * A pass over finished graphs of static shapes: a Reshape of a Reshape and a Transpose of a Transpose become
 * one node, and those that change nothing none. The gradient rules write many such chains. Call when all
 * outputs are named.
 */

import type { GraphBuilder, Node, Value } from './graphBuilder.ts';
import { intsAttribute, Shapes } from './shapes.ts';

export function foldViews(graph: GraphBuilder): void {
  const shapes = new Shapes(graph);
  const made = new Map<Value, Node>();
  /** What stands for a value that is no longer computed. */
  const same = new Map<Value, Value>();
  graph.nodes = graph.neededNodes().flatMap((original) => {
    const inputs = original.inputs.map((value) => value && (same.get(value) ?? value));
    const node = joined({ ...original, inputs }, made, graph, shapes);
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    if (isNothing(node, shapes) && !graph.isOutput(to)) {
      same.set(to, from);
      return [];
    }
    made.set(to, node);
    return [node];
  });
}

/** The node, reading what the view before it read. */
function joined(node: Node, made: ReadonlyMap<Value, Node>, graph: GraphBuilder, shapes: Shapes): Node {
  const before = made.get(node.inputs[0]!);
  if (node.op === 'Reshape') {
    const source = before?.op === 'Reshape' ? before.inputs[0] : node.inputs[0];
    return { ...node, inputs: [source, graph.ints(shapes.of(node.outputs[0]!))] };
  }
  if (node.op === 'Transpose' && before?.op === 'Transpose') {
    const [first, second] = [before, node].map((each) => intsAttribute(each, 'perm'));
    return { ...node, inputs: before.inputs, attributes: { perm: second!.map((axis) => first![axis]!) } };
  }
  return node;
}

function isNothing(node: Node, shapes: Shapes): boolean {
  if (node.op === 'Transpose') return intsAttribute(node, 'perm').every((axis, i) => axis === i);
  if (node.op !== 'Reshape') return false;
  return shapes.of(node.inputs[0]!).join() === shapes.of(node.outputs[0]!).join();
}
