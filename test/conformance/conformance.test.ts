/** That conformance fails where it should: no answer can be altered, taken away or emptied unnoticed. */

import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { caseRounding, toleranceOf } from '../../src/conformance/check.ts';
import { runConformance } from '../../src/conformance/conformance.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { referenceAnswers } from '../fixtures/paths.ts';
import { editTensors, type TensorBytes } from '../fixtures/safetensors.ts';

let folder = '';
beforeAll(() => {
  folder = join(temporaryFolder(), 'answers');
  cpSync(referenceAnswers, folder, { recursive: true });
});

interface Outcome {
  passed: number;
  failed: number;
  lines: string[];
}

async function run(filter?: string, dir = folder): Promise<Outcome> {
  const lines: string[] = [];
  const onCase = (line: string): void => void lines.push(line);
  const counts = await runConformance({ dir, device: 'cpu', ...(filter && { filter }), onCase });
  return { ...counts, lines };
}

/** Runs with one file changed, which is as it was afterwards. */
async function changed(file: string, change: (path: string) => void, filter: string): Promise<Outcome> {
  const path = join(folder, file);
  const before = readFileSync(path);
  try {
    change(path);
    return await run(filter);
  } finally {
    writeFileSync(path, before);
  }
}

type Json = Record<string, unknown> & unknown[];

/** The path leads to what `change` is given and gives. */
function editJson(
  file: string,
  path: readonly (string | number)[],
  change: (value: unknown) => unknown,
): void {
  const root = JSON.parse(readFileSync(file, 'utf8')) as unknown;
  const holder = { root } as Record<string, unknown>;
  let at = holder as Json;
  for (const key of ['root', ...path.slice(0, -1)]) at = at[key as never] as Json;
  const last = path.at(-1) ?? 'root';
  const owner = (path.length === 0 ? holder : at) as Record<string, unknown>;
  owner[last] = change(owner[last]);
  writeFileSync(file, JSON.stringify(holder['root']));
}

/** Another value of the same form. */
function other(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value + 1 : value * 1.01;
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return `${value}!`;
  if (Array.isArray(value)) return value.length > 0 ? [other(value[0]), ...value.slice(1)] : [1];
  return Object.fromEntries(
    Object.entries(value as object).map(([key, part], i) => [key, i === 0 ? other(part) : part]),
  );
}

function alter({ dtype, bytes }: TensorBytes): void {
  const last = bytes.length - 4;
  if (dtype === 'F32') bytes.writeFloatLE(bytes.readFloatLE(last) + 0.5, last);
  else bytes[last]! ^= 1;
}

/** Answers in JSON: file, path of the value, checks that must notice. */
const VALUES: [file: string, path: (string | number)[], filter: string][] = [
  ...['size', 'resized', 'grid_thw'].map((key): [string, (string | number)[], string] => [
    'preprocess.json',
    ['pictures', 3, key],
    'preprocess/odd',
  ]),
  ['preprocess.json', ['smart_resize', 5, 'result'], 'preprocess/smart'],
  ...['ids', 'decoded'].map((key): [string, (string | number)[], string] => [
    'tokens.json',
    ['small', 6, key],
    'tokens',
  ]),
  ...['path', 'success', 'status', 'invalid'].map((key): [string, (string | number)[], string] => [
    'scoring.json',
    ['vsp', 3, key],
    'scoring/vsp',
  ]),
  ...['extracted', 'normalised'].map((key): [string, (string | number)[], string] => [
    'scoring.json',
    ['answers', 3, key],
    'scoring/answers',
  ]),
  ...['prompt', 'input_ids', 'image_grid_thw', 'rope_delta'].map(
    (key): [string, (string | number)[], string] => [
      'forward/flat/cases.json',
      [0, key],
      'forward/flat/windows',
    ],
  ),
  ...['prompt', 'prompt_ids', 'new_ids', 'blocks', 'latent_positions', 'text'].map(
    (key): [string, (string | number)[], string] => [
      'generate/flat/cases.json',
      [2, key],
      'generate/flat/free-early',
    ],
  ),
  ...[
    'input_ids',
    'labels',
    'image_grid_thw',
    'helper_grid_thw',
    'selected',
    'target_positions',
    'ce',
    'alignment',
    'loss',
    'gradient_norm',
    'stage2_loss',
    'stage2_gradient_norm',
  ].map((key): [string, (string | number)[], string] => [
    'training/tied/cases.json',
    [0, key],
    'training/tied/two-blocks',
  ]),
  ...['lr', 'losses', 'gradient_norm'].map((key): [string, (string | number)[], string] => [
    'training/tied/steps.json',
    ['ema_0_9', 2, key],
    'training/tied/steps/ema',
  ]),
];

/** Pictures read as a whole; those read in parts are compared with the same answers. */
const WHOLE = 'forward/flat/mixed$';

/** Answers in tensors: file, tensor, checks that must notice. */
const TENSORS: [file: string, tensor: string, filter: string][] = [
  ['preprocess', 'pixels.alpha-50x50.png', 'preprocess/alpha'],
  ['preprocess', 'pixel_values.gray-40x30.png', 'preprocess/pixel_values'],
  ...['position_ids', 'image_features', 'logits', 'hidden', 'attention_last'].map(
    (name): [string, string, string] => ['forward/flat/mixed', name, WHOLE],
  ),
  ['forward/lora-logits', 'mixed', 'forward/lora/mixed'],
  ...['logits', 'latents', 'latent_attention'].map((name): [string, string, string] => [
    'generate/tied/forced-two-blocks',
    name,
    'generate/tied/forced',
  ]),
  ...[
    'context_query_u',
    'targets',
    'similarity.1',
    'stage2.hidden',
    'grad.model.layers.0.self_attn.q_proj.weight',
    'stage2.grad.model.layers.1.mlp.down_proj.weight',
  ].map((name): [string, string, string] => ['training/tied/two-blocks', name, 'training/tied/two-blocks']),
];

it('passes with the answers as they are', async () => {
  const { passed, failed, lines } = await run();
  expect([failed, lines.filter((line) => !line.startsWith('pass'))]).toEqual([0, []]);
  expect(passed).toBeGreaterThan(50);
});

describe('an altered answer fails:', () => {
  it.each(VALUES)('%s, %j', async (file, path, filter) => {
    const { failed, lines } = await changed(file, (name) => editJson(name, path, other), filter);
    expect(failed, lines.join('\n')).toBeGreaterThan(0);
  });

  it.each(TENSORS)('%s.safetensors, %s', async (file, tensor, filter) => {
    const edit = (name: string): void => editTensors(name, (tensors) => alter(tensors.get(tensor)!));
    const { failed, lines } = await changed(`${file}.safetensors`, edit, filter);
    expect(failed, lines.join('\n')).toBe(1);
  });

  it('a number that is none', async () => {
    const edit = (name: string): void =>
      editTensors(name, (tensors) => tensors.get('logits')!.bytes.writeFloatLE(NaN, 0));
    expect((await changed('forward/flat/mixed.safetensors', edit, WHOLE)).failed).toBe(1);
  });

  it('logits that are not banned and -∞', async () => {
    const edit = (name: string): void =>
      editTensors(name, (tensors) => tensors.get('logits')!.bytes.writeFloatLE(-Infinity, 0));
    const file = 'generate/flat/forced-two-blocks';
    expect((await changed(`${file}.safetensors`, edit, file)).failed).toBe(1);
  });
});

describe('what is missing fails:', () => {
  // Which gradients are stored is the set's choice, as long as there are some.
  it.each(TENSORS.filter(([, tensor]) => !tensor.includes('grad.')))(
    'of %s.safetensors %s',
    async (file, tensor, filter) => {
      const edit = (name: string): void => editTensors(name, (tensors) => void tensors.delete(tensor));
      expect((await changed(`${file}.safetensors`, edit, filter)).failed).toBe(1);
    },
  );

  it.each(['grad.', 'stage2.grad.'])('all tensors %s…', async (prefix) => {
    const file = 'training/tied/no-latents';
    const edit = (name: string): void =>
      editTensors(name, (tensors) => {
        for (const each of tensors.keys()) if (each.startsWith(prefix)) tensors.delete(each);
      });
    expect((await changed(`${file}.safetensors`, edit, file)).failed).toBe(1);
  });

  it.each(TENSORS)('what %s.safetensors holds in %s, which is empty', async (file, tensor, filter) => {
    const edit = (name: string): void =>
      editTensors(name, (tensors) => {
        const stored = tensors.get(tensor)!;
        stored.shape[0] = 0;
        stored.bytes = Buffer.alloc(0);
      });
    expect((await changed(`${file}.safetensors`, edit, filter)).failed).toBe(1);
  });

  it.each<[string, (string | number)[], string]>([
    ['preprocess.json', ['pictures'], 'preprocess'],
    ['preprocess.json', ['smart_resize'], 'preprocess'],
    ['tokens.json', ['small'], 'tokens'],
    ['scoring.json', ['vsp'], 'scoring'],
    ['scoring.json', ['answers'], 'scoring'],
    ['forward/flat/cases.json', [], 'forward/flat'],
    ['generate/flat/cases.json', [], 'generate/flat'],
    ['training/tied/cases.json', [], 'training/tied'],
    ['training/tied/steps.json', ['frozen'], 'training/tied/steps'],
    ['training/tied/steps.json', ['ema_0_9'], 'training/tied/steps'],
    ['training/tied/steps.json', ['settings', 'samples'], 'training/tied/steps'],
  ])('a list in %s, %j, that is empty', async (file, path, filter) => {
    const { passed, failed } = await changed(file, (name) => editJson(name, path, () => []), filter);
    expect([failed > 0, passed]).toEqual([true, 0]);
  });

  it('steps at the end of a sequence', async () => {
    const cut = (name: string): void =>
      editJson(name, ['frozen'], (steps) => (steps as unknown[]).slice(0, 2));
    expect((await changed('training/tied/steps.json', cut, 'tied/steps/frozen')).failed).toBe(1);
  });

  const isAnswer = /^(images|forward|generate|training)\/|^[^/]+\.(json|safetensors)$|^lora\//;
  it.each(filesIn(referenceAnswers).filter((file) => isAnswer.test(file)))('the file %s', async (file) => {
    const path = join(folder, file);
    renameSync(path, `${path}.away`);
    try {
      const { failed, lines } = await run(partOf(file));
      expect(failed, lines.join('\n')).toBeGreaterThan(0);
    } finally {
      renameSync(`${path}.away`, path);
    }
  });

  it.each(['forward', 'generate', 'training'])('all of %s/', async (part) => {
    renameSync(join(folder, part), join(folder, 'away'));
    try {
      const { passed, lines } = await run(`^${part}`);
      expect([passed, lines.at(-1)]).toEqual([0, `FAIL  ${part}  There are no reference answers.`]);
    } finally {
      renameSync(join(folder, 'away'), join(folder, part));
    }
  });

  it('the weights of a checkpoint that is there for being stored otherwise', async () => {
    const shard = join(folder, 'bin', 'pytorch_model-00001-of-00002.bin');
    renameSync(shard, `${shard}.away`);
    const { passed, failed } = await run('forward/bin');
    renameSync(`${shard}.away`, shard);
    // Three cases, of which the two with pictures are read in parts too.
    expect([passed, failed]).toEqual([0, 5]);
  });

  it('an empty folder, and one that is none', async () => {
    const empty = temporaryFolder();
    await expect(run(undefined, empty)).rejects.toThrow('There are no reference answers here');
    mkdirSync(join(empty, 'forward'));
    await expect(run(undefined, empty)).rejects.toThrow('There are no reference answers here');
    await expect(run(undefined, join(empty, 'gone'))).rejects.toThrow('There are no reference answers here');
    mkdirSync(join(empty, 'forward', 'flat'));
    const { passed, failed } = await run(undefined, empty);
    expect([passed, failed > 0]).toEqual([0, true]);
    rmSync(empty, { recursive: true });
  });

  it('a filter that matches nothing', async () => {
    await expect(run('nothing of the kind')).rejects.toThrow('a filter that matches the name of a case');
    await expect(run('(')).rejects.toThrow('not a regular expression');
  });
});

it('answers that no case asks for are told', async () => {
  const add = (name: string): void =>
    editTensors(name, (tensors) => void tensors.set('more', { ...tensors.get('logits')! }));
  const { passed, failed, lines } = await changed('forward/flat/mixed.safetensors', add, WHOLE);
  expect([passed, failed, lines.at(-1)]).toEqual([
    1,
    0,
    'not run  forward/flat/mixed  nothing compares more',
  ]);
});

describe("a case's own rounding", () => {
  it('counts three times, if that is more than usual, and for its own kind', () => {
    expect(toleranceOf(1e-3, undefined, 'logits')).toBe(1e-3);
    expect(toleranceOf(1e-3, 1e-4, 'logits')).toBe(1e-3);
    expect(toleranceOf(1e-3, 0.002, 'logits')).toBeCloseTo(0.006);
    expect(toleranceOf(1e-3, { logits: 0.002, latents: 0.001 }, 'hidden', 'latents')).toBeCloseTo(0.003);
    expect(toleranceOf(1e-3, { logits: 0.002 }, 'hidden', 'latents')).toBe(1e-3);
  });

  it('that would let anything pass is refused', () => {
    for (const told of [Infinity, NaN, -1, 5, { logits: 5 }])
      expect(caseRounding.safeParse(told).success, JSON.stringify(told)).toBe(false);
  });

  it('lets an answer pass that is off by that much, and no more', async () => {
    const off = (name: string): void =>
      editTensors(name, (tensors) => {
        const { bytes } = tensors.get('logits')!;
        bytes.writeFloatLE(bytes.readFloatLE(0) + 0.02, 0);
      });
    const file = 'forward/flat/mixed';
    const withRounding = async (rounding: object): Promise<number> => {
      const cases = join(folder, 'forward/flat/cases.json');
      const before = readFileSync(cases);
      editJson(cases, [1], (item) => ({ ...(item as object), rounding }));
      const { failed } = await changed(`${file}.safetensors`, off, WHOLE);
      writeFileSync(cases, before);
      return failed;
    };
    expect(await withRounding({ logits: 0.01 })).toBe(0);
    expect(await withRounding({ logits: 0.005 })).toBe(1);
    expect(await withRounding({ latents: 0.01 })).toBe(1);
  });

  it('is measured where a run misses the usual by little, and excuses no other error', async () => {
    const file = 'generate/flat/forced-two-blocks';
    const off = (name: string): void =>
      editTensors(name, (tensors) => {
        const { bytes } = tensors.get('logits')!;
        bytes.writeFloatLE(bytes.readFloatLE(0) + 0.003, 0);
      });
    const { failed } = await changed(`${file}.safetensors`, off, file);
    expect(failed).toBe(1);
  });
});

/** Relative paths of all files. */
function filesIn(root: string, path = ''): string[] {
  return readdirSync(join(root, path)).flatMap((name) => {
    const inner = path === '' ? name : `${path}/${name}`;
    return statSync(join(root, inner)).isDirectory() ? filesIn(root, inner) : [inner];
  });
}

/** Names of the checks that a file is for. */
function partOf(file: string): string {
  if (file.startsWith('images/')) return `^preprocess/${file.slice('images/'.length)}`;
  if (file.startsWith('lora/') || file.includes('lora-logits')) return '^forward/lora';
  if (file.endsWith('cases.json')) return `^${file.slice(0, -'/cases.json'.length)}`;
  return `^${file.replace(/\.\w+$/, '')}`;
}
