/** `ilvr analyse`, with the real engine on a run of the bundled model. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openTrace } from '../../src/traceFile/openTrace.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import {
  BUILT_ENGINE,
  buildFakeEngine,
  EXAMPLES,
  ilvr,
  temporaryFolder,
  type CliRun,
} from '../fixtures/cli.ts';
import { oneFile } from '../fixtures/reopened.ts';
import { smallRun } from '../fixtures/smallTrace.ts';
import { repository } from '../fixtures/paths.ts';

const ON_CPU = ['--device', 'cpu'];

describe.skipIf(!existsSync(BUILT_ENGINE))('the built engine (npm run build)', () => {
  const folder = temporaryFolder();
  const recorded = join(folder, 'recorded.ilvr.json');

  async function record(file: string): Promise<void> {
    const picture = join(EXAMPLES, 'map-01.png');
    const { code, err } = await ilvr(['reason', picture, ...ON_CPU, '--trace', file], BUILT_ENGINE);
    expect(code, err).toBe(0);
  }

  beforeAll(() => record(recorded));

  function copy(name: string): string {
    const file = join(folder, `${name}.ilvr.json`);
    writeFileSync(file, readFileSync(recorded));
    return file;
  }

  const analyse = (file: string, name: string, ...more: string[]): Promise<CliRun> =>
    ilvr(['analyse', file, name, ...more], BUILT_ENGINE);
  /** No engine is there. */
  const without = (file: string, name: string, ...more: string[]): Promise<CliRun> =>
    ilvr(['analyse', file, name, ...more], join(folder, 'none.cjs'));

  it('reads latents as words, keeps the result, and shows it again without a model', async () => {
    const file = copy('lens');
    const first = await analyse(file, 'lens', '--set', 'words=4', '--save', ...ON_CPU);
    expect(first.code, first.err).toBe(0);
    expect(first.out).toContain('block 1, latent 1');
    expect(first.out).toMatch(/layer 6 +".*" \d+\.\d % · .*map-01\.png row \d, column \d, cosine/);
    expect(first.out).toContain('A lens, not a meaning');
    const again = await without(file, 'lens', '--set', 'words=4');
    expect([again.code, again.err]).toEqual([0, '']);
    const shown = (out: string): string => out.slice(out.indexOf('block 1, latent 1'));
    expect(shown(again.out)).toBe(shown(first.out));
    expect(first.out).not.toMatch(/^kept/m);
    expect(again.out).toMatch(/^kept +with the run, computed \d{4}-\d\d-\d\d \d\d:\d\d UTC · maze · cpu \(/m);
    const run = await openTrace(file);
    const [kept] = run.trace.analyses!;
    expect(kept).toMatchObject({
      method: 'lens',
      version: 1,
      status: 'complete',
      parameters: { words: 4 },
      model: { name: 'maze', sha256: run.trace.model.sha256 },
      device: { provider: 'cpu' },
    });
    await run.close();
    // Other parameters are another analysis.
    const others = await without(file, 'lens', '--set', 'words=5');
    expect(others.code).toBe(1);
    expect(others.err).toContain(
      'keeps lens with other settings; repeat their options to see it: --set words=4.',
    );
  });

  it('prints nothing but JSON with --json, with all numbers', async () => {
    const { code, out, err } = await analyse(copy('json'), 'relevance', '--json', ...ON_CPU);
    expect(code, err).toBe(0);
    const { method, status, parameters, model, result } = JSON.parse(out) as Record<string, unknown>;
    expect({ method, status }).toEqual({ method: 'relevance', status: 'complete' });
    expect(parameters).toMatchObject({ residual: 0.5, follow: false, methods: ['rollout', 'gradient'] });
    expect(model).toMatchObject({ name: 'maze' });
    const { rollout, answer } = result as { rollout: Record<string, { data: number[] }>; answer: object };
    expect(answer).toMatchObject({ logProbability: expect.any(Number) });
    expect(rollout['answer']!.data.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
  });

  it('tells how the answer depends on the picture, and through latents', async () => {
    const { code, out, err } = await analyse(
      copy('relevance'),
      'relevance',
      '--set',
      'follow=true',
      ...ON_CPU,
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(
      /rollout +map-01\.png \d+\.\d % · latents \d+\.\d % · text \d+\.\d % · most at map-01/,
    );
    expect(out).toMatch(/gradient × input +map-01\.png -?[\d.e-]+ nats/);
    expect(out.match(/latents followed/g)).toHaveLength(2);
  });

  it('gives the attention of any token with all its heads', async () => {
    const { code, out, err } = await analyse(copy('heads'), 'attention', '--set', 'tokens=[2]', ...ON_CPU);
    expect(code, err).toBe(0);
    expect(out).toMatch(/token 3, ".+"/);
    expect(out).toMatch(/layer 1 +pictures \d+\.\d % · head \d: \d+\.\d %/);
  });

  it('gives the axes of PCA and a point for each latent', async () => {
    const { code, out, err } = await analyse(copy('pca'), 'pca', ...ON_CPU);
    expect(code, err).toBe(0);
    expect(out).toMatch(/axes +1: \d+\.\d % · 2: \d+\.\d % · 3: \d+\.\d %/);
    expect(out.match(/block \d+, latent \d/g)!.length).toBeGreaterThan(7);
  });

  it('compares latents with those of another run, without any model', async () => {
    const [file, other] = [copy('similarity'), join(folder, 'similar.ilvr.json')];
    await record(other);
    const { code, out, err } = await without(file, 'similarity', '--other', other, '--save');
    expect(code, err).toBe(0);
    expect(out).toMatch(/block 1 +8 latents · within 0\.\d+ · to other blocks/);
    expect(out).toMatch(/other +same places 1\.000/);
    const run = await openTrace(file);
    expect(run.trace.analyses![0]!.other).not.toBe(run.trace.id);
    await run.close();
    // What another version of the method computed is told, and does not stand for today's.
    const trace = JSON.parse(readFileSync(file, 'utf8')) as { analyses: { version: number }[] };
    trace.analyses[0]!.version = 99;
    writeFileSync(file, JSON.stringify(trace));
    const anew = await without(file, 'similarity', '--other', other);
    expect([anew.code, anew.out]).toEqual([0, out.replace(/^kept in.*\n/m, '')]);
    expect(anew.err).toMatch(/by version 99 of this method; it is computed anew by version 1/);
  });

  it('compares two traces, word by word and latent by latent, without any model', async () => {
    const again = join(folder, 'again.ilvr.json');
    await record(again);
    const context = ['compare', recorded, again];
    const { code, out, err } = await ilvr(context, join(folder, 'none.cjs'));
    expect(code, err).toBe(0);
    expect(out).toMatch(/differ in +no setting/);
    expect(out).toMatch(/no difference: both say the same/);
    expect(out).toMatch(/block 1: cosines 1\.000/);
    const json = await ilvr([...context, '--json'], join(folder, 'none.cjs'));
    expect(JSON.parse(json.out)).toMatchObject({ differences: [], cut: false });
    expect((await ilvr(['compare', recorded, 'nowhere.json'], join(folder, 'none.cjs'))).err).toMatch(
      /nowhere\.json/,
    );
    // Of a run that was not ended it says so.
    const running = copy('running');
    writeFileSync(running, readFileSync(again, 'utf8').replace('"status":"complete"', '"status":"running"'));
    const partial = await ilvr(['compare', recorded, running], join(folder, 'none.cjs'));
    expect([partial.code, partial.out]).toEqual([
      0,
      expect.stringMatching(/A +.*answer "LU"\nB +.*answer "LU" · not ended: it was still running/),
    ]);
    const mixed = await ilvr(['compare', recorded, 'results.jsonl'], join(folder, 'none.cjs'));
    expect(mixed.code).toBe(2);
    expect(mixed.err).toMatch(/Only files of one kind can be compared: expected two traces/);
  });

  it('knows the right answer by a text, or by the sample of its picture and question', async () => {
    const file = copy('truth');
    const told = await analyse(file, 'decomposition', '--truth', 'UU', ...ON_CPU);
    expect(told.out, told.err).toMatch(/whole blocks +LU, wrong/);
    const samples = join(EXAMPLES, 'samples.jsonl');
    const known = await analyse(file, 'decomposition', '--samples', samples, ...ON_CPU);
    expect(known.out, known.err).toMatch(/whole blocks +LU, right/);
    const others = join(folder, 'others.jsonl');
    writeFileSync(others, readFileSync(samples, 'utf8').split('\n').slice(1).join('\n'));
    const none = await without(file, 'decomposition', '--samples', others);
    expect([none.code, none.err]).toEqual([1, expect.stringMatching(/No sample .* map-01\.png.*--truth/)]);
  });

  it('masks a region by rows and columns from 1', async () => {
    const masked = ['--set', 'changes=["masked"]', ...ON_CPU, '--json'];
    const { out, err } = await analyse(copy('region'), 'dependence', '--region', '1,1,2,3', ...masked);
    expect(JSON.parse(out || '{}'), err).toMatchObject({ parameters: { region: [0, 0, 1, 2] } });
    const outside = await without(recorded, 'dependence', '--region', '1,1,7,1');
    expect([outside.code, outside.err]).toEqual([
      1,
      expect.stringContaining('from 1,1 to 6,6 of map-01.png'),
    ]);
  });

  it('tells of two models that no divergence is between them, before one is loaded', async () => {
    const [other, model] = [join(folder, 'bypassed.ilvr.json'), 'bundled:control-bypassed'];
    const args = ['reason', join(EXAMPLES, 'map-01.png'), '--model', model, ...ON_CPU, '--trace', other];
    const made = await ilvr(args, BUILT_ENGINE);
    expect(made.code, made.err).toBe(0);
    const { code, err } = await without(recorded, 'divergence', '--other', other);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/expected a run of maze .*found a run of control-bypassed .*different models/),
    ]);
  });

  it('says of a picture that it is no trace, and how to make one', async () => {
    const { code, err } = await without(join(EXAMPLES, 'map-01.png'), 'lens');
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/a picture, not the trace .*ilvr reason PICTURE --trace/),
    ]);
  });

  it('refuses the run itself as another one, by whatever name, and says what could not be tried', async () => {
    const [file, again] = [copy('self'), copy('self-again')];
    for (const name of ['causality', 'dependence', 'divergence', 'similarity']) {
      const { code, err } = await without(file, name, '--other', again);
      expect([name, code]).toEqual([name, 1]);
      expect(err).toContain('A run is not compared with itself');
    }
    const branch = ['branch', file, '--at', 'block:1', '--with', `latents=swap:${again}`];
    expect((await ilvr(branch, join(folder, 'none.cjs'))).err).toContain('A run is not compared with itself');
    const { code, out, err } = await analyse(file, 'dependence', '--set', 'changes=["replaced"]', ...ON_CPU);
    expect([code, out]).toEqual([1, expect.stringContaining('not tried: no other run was chosen')]);
    expect(err).toContain('Nothing could be tried (another run’s: no other run was chosen).');
  });

  it('needs the model that made the run, and says which', async () => {
    const model = join(repository, 'models', 'control-bypassed');
    const { code, err } = await analyse(copy('other'), 'lens', '--model', model, ...ON_CPU);
    expect(code).toBe(1);
    expect(err).toMatch(
      /needs the model that made the run: expected maze \(sha256 \w{12}\), found control-byp.* --model DIR/,
    );
  });

  it.each<[string, string[], RegExp]>([
    ['an analysis that there is not', ['meaning'], /Allowed choices are attention, .*lens, .*similarity/],
    ['a parameter that it has not', ['lens', '--set', 'word=3'], /some of words, found.*word/],
    ['a parameter without a value', ['lens', '--set', 'words'], /Expected name=value/],
    ['a right answer where none is judged', ['lens', '--truth', 'LU'], /takes no truth/],
    ['an empty right answer', ['causality', '--truth', ''], /right answer is empty/],
    ['two right answers', ['causality', '--truth', 'LU', '--samples', 'x.jsonl'], /cannot be used with/],
    ['a truth as a parameter', ['causality', '--set', 'truth={}'], /expected --truth or --samples/],
    ['a region that is none', ['dependence', '--region', '0,0,1,1'], /counted from 1/],
    ['one run where there are two', ['divergence'], /between two runs: expected --other TRACE/],
    ['a second run where there is none', ['lens', '--other', recorded], /takes no second run/],
    [
      'a picture that is not of the run',
      ['lens', '--image', 'else.png'],
      /no picture of the run.*map-01\.png/,
    ],
  ])('refuses %s', async (_, args, message) => {
    const [name, ...more] = args;
    const { code, err } = await analyse(copy('refused'), name!, ...more);
    expect(code).toBeGreaterThan(0);
    expect(err.replaceAll('\n', ' ')).toMatch(message);
  });
});

it('what a stopped analysis had found is kept as partial, and computed again when it is asked for', async () => {
  const engine = await buildFakeEngine();
  const file = join(temporaryFolder(), 'small.ilvr.json');
  writeFileSync(file, await oneFile(smallRun()));
  const analyse = async (): Promise<CliRun> => {
    const cancel = new AbortController();
    let [out, err] = ['', ''];
    const write = (text: string): void => {
      err += text;
      if (text.includes('walking back from the answer')) cancel.abort();
    };
    const terminal = new Terminal({
      out: { write: (text) => (out += text) },
      err: { write, isTTY: true },
      env: {},
    });
    const { code } = await ilvr(['analyse', file, 'relevance', '--save'], engine, {
      terminal,
      signal: cancel.signal,
    });
    return { code, out, err };
  };
  for (let i = 0; i < 2; i++) {
    const { code, out } = await analyse();
    expect(code).toBe(130);
    expect(out).toContain('"go" · log p -0.500 nats');
    expect(out).toMatch(/^stopped +Stopped on the way: this is a partial result/m);
    const run = await openTrace(file);
    await run.close();
    expect(run.trace.analyses!.map(({ method, status }) => [method, status])).toEqual([
      ['relevance', 'partial'],
    ]);
  }
});
