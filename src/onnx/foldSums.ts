/**
 * A pass over finished graphs: a sum of a matrix and a product becomes one Gemm, y = A B + C, which saves
 * reading and writing the product once more. Residual connections and gradients of values that are used
 * several times are such sums.
 *
 * For training graphs: the rounding of a sum differs from that of an Add node.
 */

import type { GraphBuilder, Node, Value } from './graphBuilder.ts';
import { Shapes } from './shapes.ts';

/** Call when all outputs are named. */
export function foldSums(graph: GraphBuilder): void {
  const shapes = new Shapes(graph);
  const nodes = graph.neededNodes();
  const users = countUsers(nodes);
  const products = new Map<Value, Node>();
  const folded = new Set<Node>();
  const kept = nodes.map((node) => {
    if (node.op === 'Gemm' && node.inputs[2] === undefined) products.set(node.outputs[0]!, node);
    if (node.op !== 'Add') return node;
    const [a, b] = node.inputs as [Value, Value];
    if (shapes.of(a).join() !== shapes.of(b).join()) return node;
    // Of two products the later one, whose operands are more likely to be in the cache still.
    for (const [product, other] of [
      [b, a],
      [a, b],
    ] as const) {
      const gemm = products.get(product);
      if (gemm === undefined || users.get(product) !== 1 || graph.isOutput(product)) continue;
      folded.add(gemm);
      const sum = { ...gemm, inputs: [gemm.inputs[0], gemm.inputs[1], other], outputs: node.outputs };
      return sum;
    }
    return node;
  });
  graph.nodes = kept.filter((node) => !folded.has(node));
}

function countUsers(nodes: readonly Node[]): Map<Value, number> {
  const users = new Map<Value, number>();
  for (const value of nodes.flatMap(({ inputs }) => inputs))
    if (value !== undefined) users.set(value, (users.get(value) ?? 0) + 1);
  return users;
}
