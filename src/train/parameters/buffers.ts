/**
 * Parameters in buffers of the GPU. A buffer is made once and then written in place: it is given to a run as the place
 * of an output. So no step makes buffers that it would have to give back, and a weight, its gradient and its moments
 * are four buffers and no more. Numbers cross to the CPU for checkpoints alone.
 *
 * An output may lie where an input does as long as the node that writes it reads something else, because a kernel
 * may not bind a buffer for reading and for writing. The graphs here multiply every input first; what is multiplied
 * by is an input too, since the runtime drops a product with a constant 1.
 */

import { add, div, mul, sqrt, sub, sum } from '../../onnx/arithmetic.ts';
import { GraphBuilder, type Value } from '../../onnx/graphBuilder.ts';
import {
  floats,
  floatTensor,
  openSession,
  type Runtime,
  type RuntimeTensor,
  type Session,
} from '../../ort/session.ts';
import { DEVICE_FACTS } from '../../tensor/device.ts';
import {
  graphShape,
  type AdamWSettings,
  type AdamWUpdate,
  type ParameterArray,
  type ParameterSet,
  type Slot,
  type StepSizes,
} from './parameters.ts';

/** The numbers where a runtime keeps them: as they are on the CPU, in buffers on a GPU. */
export async function resident(values: ParameterArray, runtime: Runtime): Promise<ParameterSet> {
  return DEVICE_FACTS[runtime.provider].buffers ? ParameterBuffers.open(values, runtime) : values;
}

class ParameterBuffers implements ParameterSet {
  readonly slots: readonly Slot[];
  private readonly graphs: Graphs;
  /** By name. */
  private readonly buffers: ReadonlyMap<string, RuntimeTensor>;

  private constructor(slots: readonly Slot[], graphs: Graphs, buffers: ReadonlyMap<string, RuntimeTensor>) {
    this.slots = slots;
    this.graphs = graphs;
    this.buffers = buffers;
    graphs.users++;
  }

  static async open(values: ParameterArray, runtime: Runtime): Promise<ParameterBuffers> {
    return ParameterBuffers.filled(values.slots, new Graphs(runtime), (slot) =>
      floatTensor(values.view(slot), graphShape(slot.shape)),
    );
  }

  tensors(prefix = ''): Record<string, RuntimeTensor> {
    return Object.fromEntries(this.slots.map((slot) => [`${prefix}${slot.name}`, this.buffer(slot)]));
  }

  async read(slot: Slot): Promise<Float32Array> {
    const session = await this.graphs.copy(slot, 'run');
    return floats((await session.run({ x: this.buffer(slot) }))['y']);
  }

  async write(slot: Slot, values: Float32Array): Promise<void> {
    const session = await this.graphs.copy(slot, 'run');
    await session.run({ x: floatTensor(values, graphShape(slot.shape)) }, { y: this.buffer(slot) });
  }

  zeros(): Promise<ParameterBuffers> {
    const zero = (slot: Slot): RuntimeTensor =>
      floatTensor(new Float32Array(slot.length), graphShape(slot.shape));
    return ParameterBuffers.filled(this.slots, this.graphs, zero);
  }

  copy(): Promise<ParameterBuffers> {
    return ParameterBuffers.filled(this.slots, this.graphs, (slot) => this.buffer(slot));
  }

  async blend(other: ParameterSet, kept: number, added: number, slots = this.slots): Promise<void> {
    const name = `blend ${slots === this.slots ? 'all' : slots.map((slot) => slot.name).join()}`;
    const session = await this.graphs.get(name, () => blendGraph(slots));
    const feeds = { ...this.tensors('own.'), ...other.tensors('other.') };
    await session.run({ ...feeds, ...scalars({ kept, added }) }, this.tensors('new.'));
  }

  async norm(): Promise<number> {
    const session = await this.graphs.get('norm', () => squaresGraph(this.slots));
    return Math.sqrt(floats((await session.run(this.tensors()))['squares'])[0]!);
  }

  async adamW(settings: AdamWSettings): Promise<AdamWUpdate> {
    const name = `adamW ${JSON.stringify(settings)} ${this.slots.map(settings.decays).join()}`;
    const session = await this.graphs.get(name, () => adamWGraph(this.slots, settings));
    return async (gradient, { first, second }, sizes) => {
      const state = { ...first.tensors('first.'), ...second.tensors('second.') };
      const feeds = { ...this.tensors('theta.'), ...gradient.tensors('gradient.'), ...state };
      const results = {
        ...this.tensors('new theta.'),
        ...first.tensors('new first.'),
        ...second.tensors('new second.'),
      };
      await session.run({ ...feeds, ...scalars({ ...sizes, spared: 1 }) }, results);
    };
  }

  /** Once. */
  async release(): Promise<void> {
    for (const buffer of this.buffers.values()) buffer.dispose();
    await this.graphs.leave();
  }

  private static async filled(
    slots: readonly Slot[],
    graphs: Graphs,
    source: (slot: Slot) => RuntimeTensor,
  ): Promise<ParameterBuffers> {
    const buffers = new Map<string, RuntimeTensor>();
    for (const slot of slots) {
      const session = await graphs.copy(slot, 'make');
      buffers.set(slot.name, (await session.run({ x: source(slot) }))['y']!);
    }
    return new ParameterBuffers(slots, graphs, buffers);
  }

  private buffer({ name }: Slot): RuntimeTensor {
    return this.buffers.get(name)!;
  }
}

/** Sessions of the sets of one layout, released with the last of these. */
class Graphs {
  users = 0;
  private readonly runtime: Runtime;
  private readonly opened = new Map<string, Promise<Session>>();

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** x → y for tensors of a slot's rank: into a new buffer, or to where the caller says (the CPU by default). */
  copy({ shape }: Slot, into: 'make' | 'run'): Promise<Session> {
    const axes = graphShape(shape).map((_, axis) => `axis_${axis}`);
    return this.get(`${into} ${axes.length}`, () => copyGraph(axes), into === 'make' ? ['y'] : []);
  }

  get(name: string, build: () => GraphBuilder, keepOnDevice: string[] = []): Promise<Session> {
    const options = { ...this.runtime, weightsFolder: '', keepOnDevice };
    const session = this.opened.get(name) ?? openSession(build().build(), options);
    this.opened.set(name, session);
    return session;
  }

  /** A set needs them no more. */
  async leave(): Promise<void> {
    if (--this.users > 0) return;
    const sessions = await Promise.all(this.opened.values());
    this.opened.clear();
    await Promise.all(sessions.map((session) => session.release()));
  }
}

function scalars(values: Record<string, number>): Record<string, RuntimeTensor> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, floatTensor(Float32Array.of(value), [1])]),
  );
}

function copyGraph(axes: readonly string[]): GraphBuilder {
  const graph = new GraphBuilder('copy');
  graph.output('y', graph.input('x', 'float32', axes), axes);
  return graph;
}

/** new ← kept · own + added · other */
function blendGraph(slots: readonly Slot[]): GraphBuilder {
  const graph = new GraphBuilder('blend');
  const [kept, added] = ['kept', 'added'].map((name) => graph.input(name, 'float32', [1]));
  for (const slot of slots) {
    const [own, other] = ['own', 'other'].map((role) => inputOf(graph, slot, role));
    outputOf(graph, slot, 'new', add(graph, mul(graph, own!, kept!), mul(graph, other!, added!)));
  }
  return graph;
}

/** squares (1, 1): Σ x². Rows are summed first: a kernel's thread sums one row, and float32 loses less. */
function squaresGraph(slots: readonly Slot[]): GraphBuilder {
  const graph = new GraphBuilder('squares');
  const sums = slots.map((slot): Value => {
    const shape = graphShape(slot.shape);
    const x = graph.reshape(graph.input(slot.name, 'float32', shape), [-1, shape.at(-1)!]);
    return sum(graph, sum(graph, mul(graph, x, x), [1]), [0]);
  });
  graph.output(
    'squares',
    sums.reduce((total, each) => add(graph, total, each)),
    [1, 1],
  );
  return graph;
}

/** Of every slot theta, gradient, first and second → new theta, first and second: see AdamW.update. */
function adamWGraph(slots: readonly Slot[], { beta1, beta2, decays }: AdamWSettings): GraphBuilder {
  const graph = new GraphBuilder('adamW');
  const scalar = (name: keyof StepSizes | 'spared'): Value => graph.input(name, 'float32', [1]);
  const [scale, decayed, spared] = [scalar('scale'), scalar('decayed'), scalar('spared')];
  const [stepSize, floor] = [scalar('stepSize'), scalar('floor')];
  for (const slot of slots) {
    const input = (role: string): Value => inputOf(graph, slot, role);
    const [theta, m, v] = [input('theta'), input('first'), input('second')];
    const g = mul(graph, input('gradient'), scale);
    const mean = add(graph, mul(graph, m, beta1), mul(graph, g, 1 - beta1));
    const square = add(graph, mul(graph, v, beta2), mul(graph, mul(graph, g, g), 1 - beta2));
    const moved = mul(graph, div(graph, mean, add(graph, sqrt(graph, square), floor)), stepSize);
    const kept = mul(graph, theta, decays(slot) ? decayed : spared);
    outputOf(graph, slot, 'new theta', sub(graph, kept, moved));
    outputOf(graph, slot, 'new first', mean);
    outputOf(graph, slot, 'new second', square);
  }
  return graph;
}

function inputOf(graph: GraphBuilder, { name, shape }: Slot, role: string): Value {
  return graph.input(`${role}.${name}`, 'float32', graphShape(shape));
}

function outputOf(graph: GraphBuilder, { name, shape }: Slot, role: string, value: Value): void {
  graph.output(`${role}.${name}`, value, graphShape(shape));
}
