/** Exports as this program reads them. What transformers makes of them: scripts/reference/checkModel.py. */

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededNumbers } from '../../src/base/random.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { exportCheckpoint } from '../../src/checkpoint/exportCheckpoint.ts';
import { openSafetensors } from '../../src/checkpoint/formats/tensorFile.ts';
import { writeAdapter } from '../../src/checkpoint/adapter/write.ts';
import { toBFloat16 } from '../../src/checkpoint/formats/writeSafetensors.ts';
import { largestDifference } from '../../src/conformance/check.ts';
import { Model } from '../../src/inference/model.ts';
import { fromBFloat16 } from '../../src/tensor/dtype.ts';
import { ilvr, temporaryFolder } from '../fixtures/cli.ts';
import { GOLDENS, hasGoldens } from '../fixtures/goldens.ts';
import { writeSmallModel } from '../train/run/fixtures.ts';

let model = '';
beforeAll(async () => {
  model = await writeSmallModel();
});

const json = (folder: string, name = 'config.json') =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;

/** What the model makes of a few tokens. */
async function logitsOf(folder: string, adapter?: string): Promise<Float32Array> {
  const opened = await Model.open(await openCheckpoint(folder, { adapter }), 'cpu');
  const { embeddings, positions } = await opened.embedPrompt([5, 6, 7, 8], []);
  const { hidden } = await opened.prefill(opened.newCache(), embeddings, positions);
  const { data } = await opened.logits(hidden);
  await opened.release();
  return data;
}

function changeLetter(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 3]! ^= 1;
  writeFileSync(file, bytes);
}

function contentsOf(folder: string): object {
  return Object.fromEntries(
    readdirSync(folder, { withFileTypes: true }).map((entry) => [
      entry.name,
      entry.isFile() ? readFileSync(join(folder, entry.name), 'base64') : '',
    ]),
  );
}

/** Random factors for the projections of the one layer. */
async function writeRandomAdapter(): Promise<string> {
  const random = seededNumbers(1);
  const folder = temporaryFolder();
  const { text } = (await openCheckpoint(model)).config;
  const [C, F] = [text.hiddenSize, text.feedForwardSize];
  const tensors = (
    [
      ['self_attn.q_proj', text.heads * text.headSize, C],
      ['mlp.down_proj', C, F],
    ] as const
  ).flatMap(([name, out, inner]) =>
    [
      { letter: 'A', shape: [2, inner] },
      { letter: 'B', shape: [out, 2] },
    ].map(({ letter, shape }) => ({
      name: `model.layers.0.${name}.lora_${letter}.weight`,
      shape,
      read: () => Float32Array.from({ length: shape[0]! * shape[1]! }, () => random() - 0.5),
    })),
  );
  const targets = ['q_proj', 'down_proj'];
  await writeAdapter(folder, { rank: 2, alpha: 3, dropout: 0, targets, base: model, tensors });
  return folder;
}

describe('an export', () => {
  it('holds the weights rounded to bfloat16 under the same names, and says so', async () => {
    const out = join(temporaryFolder(), 'new', 'out');
    await exportCheckpoint(await openCheckpoint(model), out, { dtype: 'bfloat16' });
    const [before, after] = [model, out].map((folder) => openSafetensors(join(folder, 'model.safetensors')));
    const [given, written] = [await before!, await after!];
    expect(written.names.toSorted()).toEqual(given.names.toSorted());
    for (const name of ['visual.patch_embed.proj.weight', 'model.layers.0.self_attn.q_proj.bias']) {
      expect(written.info(name)).toEqual({ ...given.info(name), dtype: 'BF16' });
      const rounded = Float32Array.from(toBFloat16(await given.float32(name)), fromBFloat16);
      expect(await written.float32(name)).toEqual(rounded);
    }
    expect(json(out)).toMatchObject({
      architectures: ['Qwen2_5_VLForConditionalGeneration'],
      model_type: 'qwen2_5_vl',
      torch_dtype: 'bfloat16',
      latent_size: 2,
    });
    const [from, to] = [await openCheckpoint(model), await openCheckpoint(out)];
    expect([to.config, to.generation, to.processor, to.question]).toEqual([
      from.config,
      from.generation,
      from.processor,
      from.question,
    ]);
  });

  it('in float32 has the same logits, with an adapter merged those of the adapter', async () => {
    const [adapter, plain, merged] = [await writeRandomAdapter(), temporaryFolder(), temporaryFolder()];
    await exportCheckpoint(await openCheckpoint(model), plain, { dtype: 'float32' });
    const applied = await openCheckpoint(model, { adapter });
    expect(await exportCheckpoint(applied, merged, { dtype: 'float32' })).toMatchObject({ merged: 2 });
    const [base, adapted] = [await logitsOf(model), await logitsOf(model, adapter)];
    expect(await logitsOf(plain)).toEqual(base);
    expect(largestDifference(adapted, base)).toBeGreaterThan(0.1);
    expect(largestDifference(await logitsOf(merged), adapted)).toBeLessThan(1e-4);
    expect(existsSync(join(merged, 'adapter_config.json'))).toBe(false);
  });

  it('replaces an earlier export and nothing else', async () => {
    const parent = temporaryFolder();
    const [out, other, file] = ['out', 'other', 'file'].map((name) => join(parent, name));
    const checkpoint = await openCheckpoint(model);
    await exportCheckpoint(checkpoint, out!, { dtype: 'bfloat16' });
    await exportCheckpoint(checkpoint, out!, { dtype: 'float32' });
    expect(json(out!)['torch_dtype']).toBe('float32');
    mkdirSync(other!);
    for (const name of [file!, join(other!, 'thesis.txt')]) writeFileSync(name, 'mine');
    const to = (folder: string) => exportCheckpoint(checkpoint, folder, { dtype: 'float32' });
    await expect(to(other!)).rejects.toThrow(/an earlier export, found thesis.txt/);
    await expect(to(file!)).rejects.toThrow(/expected a folder, found a file/);
    await expect(to(model)).rejects.toThrow(/found .*config\.json/);
    const exported = await openCheckpoint(out!);
    await expect(exportCheckpoint(exported, out!, { dtype: 'float32' })).rejects.toThrow(/found the same/);
    expect(readFileSync(join(other!, 'thesis.txt'), 'utf8')).toBe('mine');
  });

  it.each<[string, (out: string) => void]>([
    ['notes.txt', (out) => writeFileSync(join(out, 'notes.txt'), 'mine')],
    ['logs', (out) => mkdirSync(join(out, 'logs'))],
    // As long as before, so that only its content tells.
    ['config.json', (out) => changeLetter(join(out, 'config.json'))],
    ['model.safetensors', (out) => appendFileSync(join(out, 'model.safetensors'), 'more')],
  ])('does not replace one in which somebody put or changed %s', async (name, change) => {
    const out = join(temporaryFolder(), 'out');
    const checkpoint = await openCheckpoint(model);
    await exportCheckpoint(checkpoint, out, { dtype: 'bfloat16' });
    change(out);
    const before = contentsOf(out);
    const again = exportCheckpoint(checkpoint, out, { dtype: 'float32' });
    await expect(again).rejects.toThrow(`found ${name}, in ${out}`);
    expect(contentsOf(out)).toEqual(before);
  });

  it('does not replace one of an earlier version, which did not list its files', async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, 'ilvr_export.json'), '{"dtype": "bfloat16", "fingerprint": ""}');
    const again = exportCheckpoint(await openCheckpoint(model), out, { dtype: 'float32' });
    await expect(again).rejects.toThrow('one of an earlier version');
  });

  it('removes nothing outside its folder, whatever its list names', async () => {
    const parent = temporaryFolder();
    const [out, other] = [join(parent, 'out'), join(parent, 'mine.txt')];
    const checkpoint = await openCheckpoint(model);
    await exportCheckpoint(checkpoint, out, { dtype: 'bfloat16' });
    writeFileSync(other, 'mine');
    const mark = json(out, 'ilvr_export.json') as { files: object };
    const files = { ...mark.files, '../mine.txt': { bytes: 4 }, [other]: { bytes: 4 } };
    writeFileSync(join(out, 'ilvr_export.json'), JSON.stringify({ ...mark, files }));
    await exportCheckpoint(checkpoint, out, { dtype: 'float32' });
    expect(readFileSync(other, 'utf8')).toBe('mine');
  });

  it('keeps what comes into the folder while it is written', async () => {
    const parent = temporaryFolder();
    const out = join(parent, 'out');
    const checkpoint = await openCheckpoint(model);
    await exportCheckpoint(checkpoint, out, { dtype: 'bfloat16' });
    const onProgress = (): void => writeFileSync(join(out, 'notes.txt'), 'mine');
    const again = exportCheckpoint(checkpoint, out, { dtype: 'float32', onProgress });
    await expect(again).rejects.toThrow('found notes.txt');
    expect([readdirSync(parent), json(out)['torch_dtype']]).toEqual([['out'], 'bfloat16']);
  });

  it.runIf(process.platform !== 'win32')('through a link replaces the export and not the link', async () => {
    const parent = temporaryFolder();
    const [out, link] = [join(parent, 'out'), join(parent, 'link')];
    const checkpoint = await openCheckpoint(model);
    await exportCheckpoint(checkpoint, out, { dtype: 'bfloat16' });
    symlinkSync('out', link);
    await exportCheckpoint(checkpoint, link, { dtype: 'float32' });
    expect([readlinkSync(link), json(out)['torch_dtype']]).toEqual(['out', 'float32']);
  });

  it('that is cancelled leaves what was there', async () => {
    const parent = temporaryFolder();
    const out = join(parent, 'out');
    const checkpoint = await openCheckpoint(model);
    await exportCheckpoint(checkpoint, out, { dtype: 'bfloat16' });
    const stop = new AbortController();
    const onProgress = (): void => stop.abort();
    const options = { dtype: 'float32', signal: stop.signal, onProgress } as const;
    await expect(exportCheckpoint(checkpoint, out, options)).rejects.toThrow('cancelled');
    expect(readdirSync(parent)).toEqual(['out']);
    expect(json(out)['torch_dtype']).toBe('bfloat16');
  });

  it.skipIf(!hasGoldens)('of what transformers 5 wrote is that of the same weights in 4.50', async () => {
    const [out, flat] = [temporaryFolder(), join(GOLDENS, 'flat')];
    await exportCheckpoint(await openCheckpoint(join(GOLDENS, 'nested')), out, { dtype: 'float32' });
    expect((await openCheckpoint(out)).config).toEqual((await openCheckpoint(flat)).config);
    const given = json(flat);
    const shared = Object.keys(given).filter((key) => key in json(out) && key !== 'transformers_version');
    for (const key of ['hidden_size', 'rope_theta', 'rope_scaling', 'torch_dtype', 'eos_token_id'])
      expect(shared).toContain(key);
    for (const key of ['text_config', 'rope_parameters', 'dtype']) expect(json(out)).not.toHaveProperty(key);
    const [a, b] = [flat, out].map((folder) => openSafetensors(join(folder, 'model.safetensors')));
    expect((await b!).names.toSorted()).toEqual((await a!).names.toSorted());
  });
});

it('is a command, which takes the newest checkpoint of a run', async () => {
  const run = temporaryFolder();
  mkdirSync(join(run, 'checkpoints'));
  const out = join(temporaryFolder(), 'out');
  await exportCheckpoint(await openCheckpoint(model), join(run, 'checkpoints', 'step-7'), {
    dtype: 'float32',
  });
  writeFileSync(join(run, 'latest'), 'step-7\n');
  const adapter = await writeRandomAdapter();
  const done = await ilvr(['export', run, out, '--merge', adapter], '');
  expect(done.err).toBe('');
  expect(done.out).toMatch(/ tensors, \d+ parameters in bfloat16, .* merged into 2: .*out\n$/);
  expect(json(out, 'ilvr_export.json')).toMatchObject({ dtype: 'bfloat16', merged: { rank: 2, alpha: 3 } });
  expect((await ilvr(['export', adapter, out], '')).err).toMatch(/holds an adapter, not a model/);
  expect((await ilvr(['export', model, dirname(out)], '')).code).toBe(1);
  expect((await ilvr(['export', model, out, '--dtype', 'int8'], '')).code).toBe(2);
});
