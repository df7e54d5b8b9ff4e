/** The parameters of an analysis as fields that a page can show. A page loads no schemas, so the host makes them. */

import * as z from 'zod';
import { translated } from '../base/l10n.ts';
import type { OfferedParameter } from './definition.ts';
import type { ParameterField } from './field.ts';
import { ANALYSES, type AnalysisName } from './table.ts';

/** What a parameter's schema says of it, as JSON Schema does. */
const property = z.object({
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  items: z.object({ type: z.string().optional(), enum: z.array(z.string()).optional() }).optional(),
});

/**
 * Fields of the parameters that are offered, in their order.
 * @param values what they hold; what is absent there is its default
 * @param isOffered which words of a parameter of several can be chosen
 */
export function formOf(
  name: AnalysisName,
  values: Record<string, unknown> = {},
  isOffered: (word: string) => boolean = () => true,
): ParameterField[] {
  const { parameters } = ANALYSES[name];
  const offered: Record<string, OfferedParameter | undefined> = ANALYSES[name].offered;
  const { properties = {} } = z.toJSONSchema(parameters, { io: 'input', unrepresentable: 'any' });
  const parsed = parameters.safeParse(values);
  const held: Record<string, unknown> = parsed.success ? parsed.data : parameters.parse({});
  return Object.entries(offered)
    .flatMap(([key, about]) =>
      about === undefined ? [] : [fieldOf(key, about, property.parse(properties[key]), held[key])],
    )
    .map((field) => (field.kind === 'several' ? offeredOf(field, isOffered) : field));
}

type Several = Extract<ParameterField, { kind: 'several' }>;

/** At least one is always held. */
function offeredOf(field: Several, isOffered: (word: string) => boolean): Several {
  const options = field.options.filter(({ value }) => isOffered(value));
  const value = field.value.filter(isOffered);
  const [first] = options;
  if (first === undefined) return field;
  return { ...field, options, value: value.length === 0 ? [first.value] : value };
}

function fieldOf(
  name: string,
  { label, options = {} }: OfferedParameter,
  { type, minimum, maximum, items, ...rest }: z.output<typeof property>,
  value: unknown,
): ParameterField {
  const about = { name, label: translated(label) };
  const named = (words: readonly string[]) =>
    words.map((word) => ({
      value: word,
      label: options[word] === undefined ? word : translated(options[word]),
    }));
  if (rest.enum !== undefined)
    return { ...about, kind: 'one', options: named(rest.enum), value: String(value) };
  if (items?.enum !== undefined)
    return { ...about, kind: 'several', options: named(items.enum), value: value as string[] };
  if (type === 'array') return { ...about, kind: 'positions', value: value as number[] };
  if (type === 'boolean') return { ...about, kind: 'switch', value: value === true };
  if (type !== 'integer' && type !== 'number') throw new Error(`No field shows ${name}, of type ${type}`);
  return {
    ...about,
    kind: 'number',
    isWhole: type === 'integer',
    ...(minimum !== undefined && { min: minimum }),
    ...(maximum !== undefined && { max: maximum }),
    value: Number(value),
  };
}
