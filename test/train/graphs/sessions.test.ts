import { expect, it } from 'vitest';
import { exp } from '../../../src/onnx/arithmetic.ts';
import { GraphBuilder } from '../../../src/onnx/graphBuilder.ts';
import { floatTensor } from '../../../src/ort/session.ts';
import { SessionCache } from '../../../src/train/graphs/sessions.ts';

/** Two intermediate results of 32 MiB and some. */
const WIDTH = 1024;
const rowsOf = (size: number): number => 8192 + size;

function graphOf(size: number): Uint8Array {
  const graph = new GraphBuilder('wide');
  const x = graph.input('x', 'float32', [1, WIDTH]);
  const wide = graph.op('Expand', [x, graph.ints([rowsOf(size), WIDTH])]);
  graph.output('y', graph.op('ReduceSum', [exp(graph, exp(graph, wide)), graph.ints([0])]), [1, WIDTH]);
  return graph.build();
}

it('sessions of many sizes do not keep memory for each', async () => {
  const sessions = new SessionCache(graphOf, { provider: 'cpu', threads: 1 });
  const feeds = { x: floatTensor(new Float32Array(WIDTH), [1, WIDTH]) };
  const before = process.memoryUsage.rss();
  const sizes = 24;
  for (let size = 0; size < sizes; size++) await (await sessions.get(size)).run(feeds);
  const grown = process.memoryUsage.rss() - before;
  await sessions.release();
  // A plan, three arenas and the heap; an arena for each would hold 1.5 GiB or more.
  expect(grown / 2 ** 20).toBeLessThan(768);
});
