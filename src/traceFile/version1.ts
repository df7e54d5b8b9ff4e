/**
 * Traces of version 1, which held every array in the JSON. What words attended to was stored over all keys; of that
 * version 2 keeps the pictures and latents.
 */

import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { sizeOf, type NumericArray } from '../tensor/array.ts';
import type { ArraySink } from '../trace/arrays.ts';
import { wordColumns, type Sequence } from '../trace/columns.ts';
import { looksOf } from '../trace/looks.ts';
import { meanOfHeads } from '../trace/queries.ts';
import type { ArrayRef } from '../trace/schema.ts';
import { checkNumbers } from '../trace/values.ts';
import type { AnyTrace } from './migrationStep.ts';
import { kindToday } from './version2.ts';

const count = z.int().min(0);
/** More elements than any real array has; a base64 text is never made longer by its shape. */
const MAX_ELEMENTS = 2 ** 28;
const array = z.strictObject({ dtype: z.literal('F32'), shape: z.array(count).max(6), data: z.string() });

const compared = z.looseObject({
  similarity: array,
  selection: z.looseObject({ cosines: array, probabilities: array }),
});

/** What the migration touches; the rest goes on as it is and is checked after it. */
const version1 = z.looseObject({
  status: z.enum(['running', 'complete', 'cancelled', 'failed']),
  prompt: z.looseObject({ ids: z.array(count) }),
  pictures: z.array(
    z.looseObject({
      id: z.string(),
      png: z.string(),
      range: z.strictObject({ start: count, count: z.int().min(1) }).optional(),
    }),
  ),
  tokens: z.array(z.looseObject({ kind: z.preprocess(kindToday, z.string()), attention: array.optional() })),
  latents: z.array(
    z.looseObject({
      token: count,
      position: count,
      vector: array,
      attention: array,
      comparisons: z.array(compared),
    }),
  ),
});

type Version1 = z.output<typeof version1>;
type JsonArray = z.output<typeof array>;

/** @throws UserError if it is no trace of version 1, or holds numbers that cannot be */
export async function fromVersion1(json: AnyTrace, sink: ArraySink, where: string): Promise<AnyTrace> {
  const result = version1.safeParse(json);
  if (!result.success) throw damaged(result.error.issues[0]?.path.join('.') ?? '', where);
  return new Migration(result.data, sink, where).run();
}

class Migration {
  private readonly trace: Version1;
  private readonly sink: ArraySink;
  private readonly where: string;
  private bytes = 0;
  private readonly looks = new Map<number, NumericArray>();

  constructor(trace: Version1, sink: ArraySink, where: string) {
    this.trace = trace;
    this.sink = sink;
    this.where = where;
    const patches = trace.prompt.ids.length;
    const outside = trace.pictures.find(
      ({ range }) => range !== undefined && range.start + range.count > patches,
    );
    if (outside !== undefined) throw damaged(`pictures, ${outside.id}`, where);
  }

  async run(): Promise<AnyTrace> {
    const { trace } = this;
    const pictures = await inOrder(trace.pictures, async (picture) => {
      const png = Buffer.from(picture.png, 'base64');
      return { ...picture, png: await this.add('U8', [png.length], png) };
    });
    const latents = await inOrder(trace.latents, (latent, i) => this.latent(latent, i));
    const tokens = await inOrder(trace.tokens, (token, i) => this.token(token, i));
    return { ...trace, pictures, tokens, latents, arrays: { bytes: this.bytes } };
  }

  private async latent(
    { vector, attention, comparisons, ...latent }: Version1['latents'][number],
    index: number,
  ) {
    const of = `latent ${index + 1}`;
    const heads = this.numbers(attention, 'attention', of);
    const mean = meanOfHeads(heads);
    this.looks.set(latent.token, this.look(mean, of));
    return {
      ...latent,
      vector: await this.store(this.numbers(vector, 'vector', of)),
      attention: await this.add('F16', heads.shape, heads.data),
      mean: await this.add('F16', mean.shape, mean.data),
      comparisons: await inOrder(comparisons, async ({ similarity, selection, ...comparison }) => ({
        ...comparison,
        similarity: await this.store(this.numbers(similarity, 'cosine', of)),
        selection: {
          ...selection,
          cosines: await this.store(this.numbers(selection.cosines, 'cosine', of)),
          probabilities: await this.store(this.numbers(selection.probabilities, 'attention', of)),
        },
      })),
    };
  }

  private async token({ attention, ...token }: Version1['tokens'][number], index: number): Promise<object> {
    const of = `token ${index + 1}`;
    const known = this.looks.get(index);
    if (attention === undefined) return { ...token, ...(known && { looks: inlineJson(known) }) };
    const mean = this.numbers(attention, 'attention', of);
    const columns = wordColumns(this.sequence, mean, index);
    return {
      ...token,
      looks: inlineJson(this.look(mean, of)),
      attention: await this.add('F16', columns.shape, columns.data),
    };
  }

  private look(mean: NumericArray, of: string): NumericArray {
    const [, keys = 0, more] = mean.shape;
    const needed = this.trace.prompt.ids.length;
    if (more !== undefined || keys < needed) {
      throw damaged(
        `${of}, attention: expected [layers, ${needed} or more keys], found [${mean.shape.join(', ')}]`,
        this.where,
      );
    }
    return looksOf(this.sequence, mean);
  }

  /** Latents of a damaged trace may be in no order, which is found out later. */
  private get sequence(): Sequence {
    return this.trace;
  }

  private numbers(
    { shape, data }: JsonArray,
    what: Parameters<typeof checkNumbers>[1],
    of: string,
  ): NumericArray {
    const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
    const length = sizeOf(shape);
    if (length > MAX_ELEMENTS || bytes.length !== length * 4) {
      throw damaged(
        `${of}: expected ${length * 4} bytes for shape [${shape.join(', ')}], found ${bytes.length}`,
        this.where,
      );
    }
    const values = new Float32Array(bytes.buffer);
    checkNumbers(this.trace, what, values, `${this.where}, ${of}`);
    return { shape, data: values };
  }

  private async store({ shape, data }: NumericArray): Promise<ArrayRef> {
    return this.add('F32', shape, data);
  }

  private async add(...given: Parameters<ArraySink['add']>): Promise<ArrayRef> {
    const ref = await this.sink.add(...given);
    const [dtype, , values] = given;
    this.bytes = ref.offset + (dtype === 'F16' ? 2 * values.length : values.byteLength);
    return ref;
  }
}

function inlineJson({ shape, data }: NumericArray): object {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { dtype: 'F32', shape, data: bytes.toString('base64') };
}

async function inOrder<In, Out>(
  items: readonly In[],
  work: (item: In, index: number) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = [];
  for (const [index, item] of items.entries()) results.push(await work(item, index));
  return results;
}

function damaged(found: string, where: string): UserError {
  return new UserError({
    problem: 'This trace is damaged',
    found: `at ${found}`,
    where,
    remedy: 'Export it again from the run, or restore the file from a copy.',
  });
}
