/** Losses as graph formulas, one number per position: the student's two, and what an answer's relevance is that of. */

import { add, div, exp, expand, log, max, mul, neg, rows, scatterAdd, sqrt, sub, sum } from './arithmetic.ts';
import type { GraphBuilder, Value } from './graphBuilder.ts';
import { Shapes } from './shapes.ts';

/**
 * Cross-entropy: log Σⱼ exp(xⱼ - max x) - (x_label - max x), which is -log softmax(x)_label.
 * @param logits (N, V)
 * @param labels (N, 1): n · V + label of row n, the label's place among all N · V logits
 * @returns (N, 1)
 */
export function crossEntropy(graph: GraphBuilder, logits: Value, labels: Value): Value {
  const shifted = sub(graph, logits, max(graph, logits, [-1])); // (N, V)
  const powers = exp(graph, shifted); // (N, V)
  const total = sum(graph, powers, [-1]); // (N, 1)
  const chosen = rows(graph, graph.reshape(shifted, [-1]), labels, []); // (N)
  const result = sub(graph, log(graph, total), graph.reshape(chosen, [-1, 1]));
  // ∂logits = g (softmax(x) - [x is the label's]), without a matrix of zeros for the labels.
  graph.formulas.set(result, {
    inputs: [logits],
    gradients: (g) => {
      const softmax = mul(graph, powers, div(graph, g, total));
      const flat = graph.reshape(softmax, [-1]);
      const less = scatterAdd(graph, flat, labels, graph.reshape(neg(graph, g), [-1]));
      return [graph.reshape(less, new Shapes(graph).of(logits))];
    },
  });
  return result;
}

/** Added to a score that must not count; finite, because GPUs need not honour infinities. */
const LEFT_OUT = -1e30;

/**
 * Log-odds of a label against all others: x_label - log Σⱼ≠label exp(xⱼ), which is log p / (1 - p). Unlike log p it
 * still moves where p is nearly 1.
 * @param logits (N, V)
 * @param labels (N, 1), as in `crossEntropy`
 * @returns (N, 1)
 */
export function logOdds(graph: GraphBuilder, logits: Value, labels: Value): Value {
  const [count, words] = new Shapes(graph).of(logits) as [number, number];
  const flat = graph.reshape(logits, [-1]);
  const chosen = graph.reshape(rows(graph, flat, labels, []), [count, 1]);
  const less = scatterAdd(graph, flat, labels, expand(graph, graph.scalar(LEFT_OUT), [count]));
  const others = graph.reshape(less, [count, words]);
  const largest = max(graph, others, [-1]);
  const total = sum(graph, exp(graph, sub(graph, others, largest)), [-1]); // (N, 1)
  return sub(graph, chosen, add(graph, log(graph, total), largest));
}

/**
 * Misalignment: 1 - cos(h, t).
 * @param hidden h (M, C)
 * @param targets t (M, C), of length 1
 * @returns (M, 1)
 */
export function misalignment(graph: GraphBuilder, hidden: Value, targets: Value): Value {
  const length = sqrt(graph, sum(graph, mul(graph, hidden, hidden), [-1])); // (M, 1)
  return sub(graph, 1, div(graph, sum(graph, mul(graph, hidden, targets), [-1]), length));
}
