/** The student's two losses as graph formulas, one number per supervised position. */

import { div, exp, log, max, mul, rows, sqrt, sub, sum } from '../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';

/**
 * Cross-entropy: log Σⱼ exp(xⱼ - max x) - (x_label - max x), which is -log softmax(x)_label.
 * @param logits (N, V)
 * @param labels (N, 1): n · V + label of row n, the label's place among all N · V logits
 * @returns (N, 1)
 */
export function crossEntropy(graph: GraphBuilder, logits: Value, labels: Value): Value {
  const shifted = sub(graph, logits, max(graph, logits, [-1])); // (N, V)
  const total = log(graph, sum(graph, exp(graph, shifted), [-1])); // (N, 1)
  const chosen = rows(graph, graph.reshape(shifted, [-1]), labels, []); // (N)
  return sub(graph, total, graph.reshape(chosen, [-1, 1]));
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
