import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CliContext } from '../../src/cli/context.ts';
import { createProgram, STOPPABLE } from '../../src/cli/program.ts';
import { forcedTokens } from '../../src/cli/options.ts';
import { Styled, Terminal } from '../../src/cli/terminal.ts';
import { FED } from '../../src/evaluation/fed.ts';
import { openTrace } from '../../src/traceFile/openTrace.ts';
import { buildFakeEngine, EXAMPLES, ilvr, temporaryFolder, type CliRun } from '../fixtures/cli.ts';

const MAP = join(EXAMPLES, 'map-01.png');
const MODEL = join(EXAMPLES, '../models/maze');

let engine = '';
let folder = '';
beforeAll(async () => {
  engine = await buildFakeEngine();
  folder = temporaryFolder();
});

describe('arguments', () => {
  it.each([
    [['--help'], 0],
    [['--version'], 0],
    [['reason', '--help'], 0],
    [[], 2],
    [['nonsense'], 2],
    [['reason'], 2],
    [['reason', '--example', 'tower'], 2],
    [['reason', MAP, '--example', 'maze'], 2],
    [['reason', '--example', 'maze', '--question', 'Why?'], 2],
    [['reason', MAP, '--model', 'bundled:none'], 1],
    [['reason', MAP, '--devise', 'cpu'], 2],
    [['reason', MAP, '--device', 'tpu'], 2],
    [['reason', MAP, '--temperature', '-1'], 2],
    [['reason', MAP, '--temperature', ''], 2],
    [['reason', MAP, '--top-p', '0'], 2],
    [['reason', MAP, '--repetition-penalty', '0'], 2],
    [['reason', MAP, '--max-tokens', '0'], 2],
    [['reason', MAP, '--max-tokens', '1.5'], 2],
    [['reason', MAP, '--max-pixels', '0'], 2],
    [['reason', MAP, '--min-pixels', 'many'], 2],
    [['reason', MAP, '--force', '3'], 2],
    [['evaluate', 'x.jsonl', '--limit', '0'], 2],
    [['evaluate', 'x.jsonl', '--jobs', '0'], 2],
    [['evaluate', 'x.jsonl', '--intervene', 'nothing'], 2],
    [['evaluate', 'x.jsonl', '--intervene', 'zero,swap', '--tests'], 2],
    [['report', 'bundled', 'x.jsonl', '--out', 'x.txt'], 2],
    [['calibrate', '--out', join(MAP, 'x.json')], 1],
    [['reason', MAP, '--intervene', 'swap'], 2],
    [['reason', MAP, '--swap-image', MAP], 2],
    [['reason', MAP, '--intervene', 'swap', '--swap-image', MAP, '--swap-with', 'x.ilvr.json'], 2],
    [['reason', MAP, '--intervene', 'zero', '--swap-with', 'x.ilvr.json'], 2],
    [['reason', MAP, '--intervene', 'swap', '--swap-with', 'none.ilvr.json'], 1],
    [['reason', MAP, '--intervene', 'oracle'], 2],
    [['reason', MAP, '--intervene', 'oracle', '--helper', MAP, '--helpers-in-prompt'], 2],
    [['reason', MAP, '--intervene', 'oracle', '--helper', MAP], 1],
    [['reason', MAP, '--intervene', 'all'], 2],
    [['compare', 'only-one.jsonl'], 2],
    [['compare', '--help'], 0],
    [['reason', 'no-such-picture.png'], 1],
    [['reason', MAP, '--trace', 'trace.txt'], 2],
    [['analyse', 'none.ilvr.json', 'lens', '--set', 'words=0'], 2],
    [['analyse', 'none.ilvr.json', 'lens'], 1],
    [['caches', '--weights-cache', MAP], 1],
    [['reason', MAP, '--model', 'missing', '--question', 'q'], 1],
    [['reason', MAP, '--model', 'other'], 1],
  ])('%j end with exit code %i and no stack trace', async (args, code) => {
    const run = await ilvr(args, engine);
    expect(run.code, run.err).toBe(code);
    expect(run.err).not.toMatch(/^\s+at /m);
    expect(run.err + run.out).not.toBe('');
  });

  it('document the exit codes', async () => {
    const { out } = await ilvr(['reason', '--help'], engine);
    expect(out).toMatch(/130 +cancelled/);
  });

  it('of all that runs a model stop at Ctrl-C, and keep what there is', () => {
    const { commands } = createProgram({ version: '1' } as CliContext, () => undefined);
    const running = commands.filter(({ options }) =>
      options.some(({ long }) => long === '--model' || long === '--max-tokens'),
    );
    expect(running.map((command) => command.name())).toContain('branch');
    for (const command of running) expect(STOPPABLE).toContain(command.name());
  });

  it('force tokens by index and id', () => {
    expect(forcedTokens('3:615, 18:616', { 1: 2 })).toEqual({ 1: 2, 3: 615, 18: 616 });
  });
});

describe('reason', () => {
  it('says that there is no question before anything is loaded', async () => {
    const model = join(EXAMPLES, '../test/reference/flat');
    const { code, out, err } = await ilvr(['reason', MAP, '--model', model], engine);
    expect(code).toBe(1);
    expect(err).toMatch(/There is no question: found a model, flat, .* Give one with --question/);
    expect(out).not.toMatch(/device/);
  });

  it('prints text as it comes, a line per block, the answer and the timings', async () => {
    const { code, out, err } = await ilvr(['reason', MAP], engine);
    expect(code).toBe(0);
    expect(out).toMatch(/device +CPU · a processor · No WebGPU adapter was found\./);
    expect(out).toMatch(
      /go right\n◆ block 1 · 2 latents · forced · peak row \d column \d · mass on image \.\d\d \(layer \d\)\nthen down\n◆ block 2/,
    );
    expect(out).toMatch(/answer +RD\n/);
    expect(out).toMatch(/blocks +2 blocks × 2 latents, all of fixed length/);
    expect(out).toMatch(/looks +most in layer \d of 2: mean mass on the image \.\d\d/);
    expect(out).toMatch(/time .*vision 13 ms · answer 340 ms/);
    expect(err).toContain('reading the checkpoint\n');
  });

  it('says what each intervention needs, and what it found', async () => {
    const refusal = async (...args: string[]): Promise<string> =>
      (await ilvr(['reason', MAP, '--intervene', ...args], engine)).err;
    expect(await refusal('swap')).toMatch(
      /feeds the latents of one other run: expected --swap-with TRACE or --swap-image PICTURE, found neither/,
    );
    expect(await refusal('zero', '--swap-image', MAP)).toMatch(/Only --intervene swap .*found .*map-01\.png/);
    expect(await refusal('oracle')).toMatch(
      /expected --helper PICTURE for each block.*found no helper picture/,
    );
    expect(await refusal('oracle', '--helper', MAP, '--helpers-in-prompt')).toMatch(
      /found --helpers-in-prompt/,
    );
    expect(await refusal('oracle', '--helper', MAP)).toMatch(
      /teacher selects nothing for this run.*found none for 1 helper picture/,
    );
    const { out } = await ilvr(['reason', '--help'], engine);
    for (const fed of FED) expect(out).toMatch(new RegExp(`\\b${fed}\\b`));
  });

  it('names the adapter of the model', async () => {
    const { out } = await ilvr(['reason', MAP, '--adapter', join('some', 'tuned')], engine);
    expect(out).toMatch(/adapter +.*tuned · LoRA, r 4, alpha 8\n/);
  });

  it('writes a trace that can be read, and a picture of each block', async () => {
    const out = join(folder, 'deep', 'run.ilvr.json');
    const { code } = await ilvr(['reason', MAP, '--trace', out], engine);
    expect(code).toBe(0);
    expect((await openTrace(out)).trace.status).toBe('complete');
    expect(readdirSync(join(folder, 'deep')).toSorted()).toEqual([
      'run.ilvr.json',
      'run.ilvr.json.block-1.helper-1.selection.png',
      'run.ilvr.json.block-1.png',
      'run.ilvr.json.block-2.helper-1.selection.png',
      'run.ilvr.json.block-2.png',
    ]);
    expect(decode(readFileSync(`${out}.block-1.png`)).width).toBe(2 * 168 + 6);
  });

  it('keeps the partial trace of an engine that was killed, says so, and fails', async () => {
    const out = join(folder, 'killed.ilvr.json');
    const { code, err } = await ilvr(['reason', MAP, '--question', 'die', '--trace', out], engine);
    expect(code).toBe(1);
    expect(err).toMatch(/engine process ended unexpectedly \(signal SIGKILL\)\. Most likely memory ran out/);
    expect(err).not.toContain('defect');
    const { trace } = await openTrace(out);
    expect([trace.status, trace.latents.length, trace.blocks.at(-1)?.ended]).toEqual([
      'failed',
      3,
      'cancelled',
    ]);
    expect(trace.failure).toMatch(/SIGKILL/);
    expect(existsSync(`${out}.block-2.png`)).toBe(true);
  });

  it('cancelled with Ctrl-C keeps the partial trace and ends with 130', async () => {
    const out = join(folder, 'cancelled.ilvr.json');
    const args = ['reason', MAP, '--question', 'wait', '--trace', out];
    const run = await ilvr(args, engine, { cancelAt: /block 1/ });
    expect(run.code).toBe(130);
    expect(run.out).toMatch(/answer +none .*cancelled: this is a partial answer/);
    expect((await openTrace(out)).trace.status).toBe('cancelled');
  });

  it('whose engine does not answer a cancel ends it, says so, and keeps the partial trace', async () => {
    const out = join(folder, 'hung.ilvr.json');
    const args = ['reason', MAP, '--question', 'hang', '--trace', out];
    const run = await ilvr(args, engine, { cancelAt: /block 1/ });
    expect(run.code).toBe(130);
    const told = 'The engine did not stop within 5 s, so its process was ended.';
    expect(run.err).toContain(told);
    const { trace } = await openTrace(out);
    expect([trace.status, trace.latents.length]).toEqual(['cancelled', 3]);
    expect(trace.failure).toContain(told);
  });

  it('tells what the engine refuses as it is', async () => {
    const run = await ilvr(['reason', MAP, '--question', 'refuse'], engine);
    expect([run.code, run.err.trim().split('\n').at(-1)]).toEqual([1, 'The picture cannot be decoded.']);
  });

  it.runIf(process.platform !== 'win32')('writes the trace through a link, which stays one', async () => {
    const [out, real] = [join(folder, 'link.ilvr.json'), join(folder, 'real.json')];
    writeFileSync(real, 'old');
    symlinkSync(real, out);
    const { code } = await ilvr(['reason', MAP, '--trace', out], engine);
    expect([code, readlinkSync(out)]).toEqual([0, real]);
    expect((await openTrace(real)).trace.status).toBe('complete');
  });

  it.runIf(process.platform !== 'win32')(
    'refuses a trace onto a pipe, a device, a folder or a picture before the model is asked, and touches none',
    async () => {
      const places = temporaryFolder();
      const [pipe, picture, link] = ['pipe', 'map.png', 'to-stdout'].map((name) => join(places, name));
      execFileSync('mkfifo', [pipe!]);
      copyFileSync(MAP, picture!);
      symlinkSync('/dev/stdout', link!);
      const before = readdirSync('/dev');
      for (const out of [pipe!, '/dev/null', '/dev/stdout', link!, places, picture!]) {
        const run = await ilvr(['reason', picture!, '--trace', out], engine);
        expect([run.code, run.out], run.err).toEqual([1, '']);
        expect(run.err).toContain(out);
      }
      expect(lstatSync(pipe!).isFIFO()).toBe(true);
      expect(readFileSync(picture!)).toEqual(readFileSync(MAP));
      expect(readdirSync(places).toSorted()).toEqual(['map.png', 'pipe', 'to-stdout']);
      expect(readdirSync('/dev')).toEqual(before);
    },
  );

  it('fails with a message where the trace cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { code, err } = await ilvr(['reason', MAP, '--trace', join(folder, 'file', 'x.json')], engine);
    expect(code).toBe(1);
    expect(err).toMatch(/A folder is needed here.*found a file/);
  });
});

/** A line of a samples file. */
function line(text: string, more: object): string {
  return JSON.stringify({ text_input: text, ...more });
}

function samples(name: string, lines: string[]): string {
  const file = join(folder, name);
  writeFileSync(file, lines.join('\n'));
  return file;
}

/** A results file's header without the time at which it was begun. */
function decidingIn(results: string): object {
  const { made, ...deciding } = JSON.parse(results.split('\n')[0]!) as Record<string, unknown>;
  expect(made).toMatchObject({ version: '1.2.3' });
  return deciding;
}

describe('evaluate', () => {
  const map_desc = [
    [1, 0, -1],
    [0, 2, 0],
  ];

  it('scores maps by walking and others by comparing, with intervals and baselines', async () => {
    const file = samples('mixed.jsonl', [
      line('box:\\boxed{RD}', { map_desc, map_id: 'right' }),
      line('box:\\boxed{R}', { map_desc, map_id: 'short' }),
      line('box:\\boxed{go RIGHT then D}', { map_desc, map_id: 'prose' }),
      line('box:The answer is: yes', { original_final_answer: 'A' }),
    ]);
    const { code, out } = await ilvr(['evaluate', '--sample-questions', file], engine);
    expect(code).toBe(0);
    expect(out).toMatch(/✓ right +RD +Reached goal\n✗ short +R +Did not reach goal/);
    expect(out).toMatch(/accuracy +[23] of 4 = \d\d\.0 % \(95 % interval/);
    expect(out).toMatch(/ {2}2 × 2 +/);
    expect(out).toMatch(/strict parser +1 of 3/);
    expect(out).toMatch(/random walk +\d+\.\d % expected/);
  });

  it('goes on where the results file ends, also after a cut line', async () => {
    const file = samples(
      'resume.jsonl',
      ['a', 'b', 'c'].map((id) => line('box:\\boxed{RD}', { map_desc, map_id: id })),
    );
    const results = join(folder, 'resume-results.jsonl');
    const args = ['evaluate', '--sample-questions', file, '--results', results];
    await ilvr([...args, '--limit', '2'], engine);
    const before = readFileSync(results, 'utf8');
    writeFileSync(results, before.slice(0, -20));
    const { out } = await ilvr(args, engine);
    expect(out).toContain('Kept from an earlier run: 1.');
    expect(out).not.toMatch(/✓ a/);
    expect(out).toMatch(/accuracy +3 of 3/);
    expect(readFileSync(results, 'utf8').trimEnd().split('\n')).toHaveLength(4);
  });

  it('goes on with results that were cut anywhere, in the header too', async () => {
    const file = samples('cut.jsonl', [line('box:\\boxed{RD}', { map_desc })]);
    const results = join(folder, 'cut-results.jsonl');
    const args = ['evaluate', '--question', 'box:\\boxed{RÐ}', file, '--results', results];
    await ilvr(args, engine);
    const whole = readFileSync(results);
    const header = whole.indexOf(10);
    // Inside the question's two-byte letter as well.
    for (const length of [0, 1, whole.indexOf('Ð') + 1, header, header + 1, whole.length - 1]) {
      writeFileSync(results, whole.subarray(0, length));
      const { code, err } = await ilvr(args, engine);
      expect(code, err).toBe(0);
      expect(decidingIn(readFileSync(results, 'utf8'))).toEqual(decidingIn(whole.toString()));
      expect(readFileSync(results, 'utf8').trimEnd().split('\n')).toHaveLength(2);
    }
    writeFileSync(results, '{"format":"ilvr-res, or my notes');
    const notes = await ilvr(args, engine);
    expect([notes.code, notes.err.includes('cut off')], notes.err).toEqual([1, true]);
  });

  it('asks a sample again that got no answer, once', async () => {
    const file = samples('again.jsonl', [
      line('refuse', { map_desc }),
      line('box:\\boxed{RD}', { map_desc }),
    ]);
    const results = join(folder, 'again-results.jsonl');
    const args = ['evaluate', '--sample-questions', file, '--results', results];
    await ilvr(args, engine);
    const { out } = await ilvr(args, engine);
    expect(out).toContain('Kept from an earlier run: 1.');
    expect(out).toMatch(/not answered +1/);
    const lines = readFileSync(results, 'utf8').trimEnd().split('\n').slice(1);
    const numbers = lines.map((text) => (JSON.parse(text) as { line: number }).line);
    expect(numbers).toEqual([2, 1]);
  });

  it('does not let two processes write one results file', async () => {
    const file = samples('twice.jsonl', [line('wait', { map_desc })]);
    const results = join(folder, 'twice-results.jsonl');
    const args = ['evaluate', '--sample-questions', file, '--results', results];
    const cancel = new AbortController();
    const first = ilvr(args, engine, { signal: cancel.signal });
    await expect.poll(() => existsSync(results), { timeout: 10_000 }).toBe(true);
    const second = await ilvr(args, engine);
    expect([second.code, second.err.includes('Another process is writing this file')], second.err).toEqual([
      1,
      true,
    ]);
    cancel.abort();
    expect((await first).code).toBe(130);
    expect(readdirSync(folder).filter((name) => name.startsWith('twice-results'))).toEqual([
      'twice-results.jsonl',
    ]);
  });

  it('refuses results of another model, other settings or another file', async () => {
    const file = samples('first.jsonl', [line('box:\\boxed{RD}', { map_desc })]);
    const other = samples('second.jsonl', [line('box:\\boxed{DR}', { map_desc })]);
    const results = ['--results', join(folder, 'header-results.jsonl')];
    expect((await ilvr(['evaluate', '--sample-questions', file, ...results], engine)).code).toBe(0);
    for (const args of [
      [file, '--temperature', '1'],
      [file, '--model', 'other'],
      [file, '--adapter', 'tuned'],
      [file, '--question', 'q'],
      [other],
    ]) {
      const run: CliRun = await ilvr(['evaluate', '--sample-questions', ...args, ...results], engine);
      expect([run.code, run.err.includes('belong to another evaluation')]).toEqual([1, true]);
    }
  });

  it('refuses a results file that is something else, and does not touch it', async () => {
    const file = samples('third.jsonl', [line('box:\\boxed{RD}', { map_desc })]);
    const results = join(folder, 'precious.txt');
    writeFileSync(results, 'my notes\nand more');
    expect((await ilvr(['evaluate', '--sample-questions', file, '--results', results], engine)).code).toBe(1);
    expect(readFileSync(results, 'utf8')).toBe('my notes\nand more');
  });

  it('counts a picture that the engine refuses as wrong and goes on', async () => {
    const file = samples('refused.jsonl', [
      line('refuse', { map_desc }),
      line('box:\\boxed{RD}', { map_desc }),
    ]);
    const { code, out } = await ilvr(['evaluate', '--sample-questions', file], engine);
    expect(code).toBe(0);
    expect(out).toMatch(/✗ line 1 .*cannot be decoded/);
    expect(out).toMatch(/accuracy +1 of 2/);
    expect(out).toMatch(/not answered +1/);
  });

  it.each([
    ['inside a run', `die once:MARK`],
    ['after an answer', 'last'],
  ])('starts an engine again that died %s, and goes on', async (_, question) => {
    const mark = join(temporaryFolder(), 'mark');
    const results = join(temporaryFolder(), 'results.jsonl');
    const questions = [
      'box:\\boxed{RD}',
      question.replace('MARK', mark),
      'box:\\boxed{RD}',
      'box:\\boxed{RD}',
    ];
    const file = samples(
      'revived.jsonl',
      questions.map((text) => line(text, { map_desc })),
    );
    const { code, out, err } = await ilvr(
      ['evaluate', '--sample-questions', file, '--results', results],
      engine,
    );
    expect(code, err).toBe(0);
    expect(err).toMatch(/ended unexpectedly \(signal SIGKILL\)\. Starting it again/);
    expect(out).toMatch(/accuracy +4 of 4/);
    expect(out).not.toContain('No model');
    expect(readFileSync(results, 'utf8').trimEnd().split('\n')).toHaveLength(5);
  });

  it('replaces the latents in every way, compares each with own, and goes on where that ends', async () => {
    const texts = ['RD|R', 'RD|RD ', 'R|L', 'D|D'];
    const file = samples(
      'all.jsonl',
      texts.map((text, i) =>
        line(`box:\\boxed{${text.replace('|', '}|\\boxed{')}}`, { map_desc, map_id: i }),
      ),
    );
    const results = join(temporaryFolder(), 'r.jsonl');
    const args = ['evaluate', '--sample-questions', file, '--intervene', 'all', '--results', results];
    const { code, out, err } = await ilvr([...args, '--quiet'], engine);
    expect(code, err).toBe(0);
    expect(out).not.toContain('✓');
    expect(err).toBe('');
    expect(out).toMatch(/\nown +2 of 4 = 50\.0 % \(.*\) +2\/4 *\n/);
    for (const fed of ['zero', 'noise', 'swap', 'markers']) {
      expect(out).toMatch(new RegExp(`\n${fed} +1 of 4 = 25\\.0 % `));
      expect(out).toMatch(
        new RegExp(`\n${fed} +−25\\.0 points .* · p = 1\\.000 · .* · 3 of 4 texts changed`),
      );
    }
    expect(out).toContain(
      'Zeroing the latents changed 3 of 4 answers: 1 right one became wrong, 0 wrong ones right. ' +
        'Too few were right for that to decide anything (p = 1.000).',
    );
    const again = await ilvr(args, engine);
    expect(again.out).toContain('Kept from an earlier run: 20.');
    const page = join(folder, 'report.html');
    const report = ['report', 'bundled', file, '--sample-questions', '--results', results, '--out', page];
    const written = await ilvr([...report, '--controls', '0', '--examples', '0'], engine);
    expect([written.code, written.out], written.err).toEqual([0, `${page}\n`]);
    expect(readFileSync(page, 'utf8')).toMatch(
      /right on 2 of 4 = 50\.0 %[^]*ilvr report bundled [^]*--controls 0/,
    );
    const table = await ilvr([...args, '--table', 'markdown'], engine);
    expect(table.out).toMatch(
      /^\| latents \|.*\n\|-.*\n\| its own \| 2\/4 \| 50\.0 % .*\n\| zeroed \| 1\/4 /,
    );
    const [own, zero] = [
      results.replace('r.jsonl', 'r.own.jsonl'),
      results.replace('r.jsonl', 'r.zero.jsonl'),
    ];
    const pair = await ilvr(['compare', own, zero], engine);
    expect(pair.out).toMatch(/A +.*latents own\nB +.*latents zero\ndiffer in +what is fed at the latents\n/);
    // What was made with latents replaced is no result of the model's own.
    const plain = await ilvr(['evaluate', '--sample-questions', file, '--results', zero], engine);
    expect([plain.code, plain.err]).toEqual([1, expect.stringContaining('the settings differ')]);
  });

  it('beside answers without a map stands the most frequent one', async () => {
    const file = samples(
      'answers.jsonl',
      ['A', 'yes', 'No'].map((original_final_answer) => line('box:answer: yes', { original_final_answer })),
    );
    const { out } = await ilvr(['evaluate', '--sample-questions', file], engine);
    expect(out).toMatch(/same answer always +66\.7 % with Yes/);
  });

  it('does not need the helper pictures of the samples, which it never looks at', async () => {
    const sequence_plan = [{ type: 'latent', helper_image: 'gone.png' }];
    const file = samples('no-helpers.jsonl', [line('box:\\boxed{RD}', { map_desc, sequence_plan })]);
    const { code, err } = await ilvr(['evaluate', '--sample-questions', file], engine);
    expect(code, err).toBe(0);
  });

  it('cancelled before the first answer says that there are no figures', async () => {
    const file = samples('none.jsonl', [line('wait', { map_desc })]);
    const args = ['evaluate', '--sample-questions', file];
    const { code, out, err } = await ilvr(args, engine, { cancelAt: /device/ });
    expect([code, out.includes('accuracy')], out).toEqual([130, false]);
    expect(err).toContain('Stopped before the first of 1 samples was done');
  });

  it('keeps the results of an engine that was killed and fails', async () => {
    const file = samples('killed.jsonl', [line('box:\\boxed{RD}', { map_desc }), line('die', { map_desc })]);
    const results = join(folder, 'killed-results.jsonl');
    const { code, err } = await ilvr(['evaluate', '--sample-questions', file, '--results', results], engine);
    expect(code).toBe(1);
    expect(err).toMatch(/SIGKILL/);
    expect(readFileSync(results, 'utf8').trimEnd().split('\n')).toHaveLength(2);
  });

  it('records samples that cannot be used, tells them before the first is run, and goes on', async () => {
    const file = samples('bad.jsonl', [
      line('box:\\boxed{RD}', { map_desc }),
      '{"text_input": 3, "map_id": "typed"}',
      line('box:\\boxed{RD}', { map_desc, map_id: 'gone', image_input: 'gone.png' }),
      line('box:\\boxed{RD}', { map_id: 'unscored' }),
      '{"text_input": "cut off',
      line('box:\\boxed{RD}', { map_desc, sequence_plan: [{ type: 'latent', helper_image: null }] }),
    ]);
    const results = join(folder, 'bad-results.jsonl');
    const args = ['evaluate', '--sample-questions', file, '--results', results];
    const { code, out, err } = await ilvr(args, engine);
    expect(code, err).toBe(0);
    expect(err.split('\n')[0]).toMatch(/^4 of 6 samples cannot be evaluated .*text_input.*bad\.jsonl:2/);
    expect(out).toMatch(/✗ gone .*picture of this sample is missing.*--pictures/);
    expect(out).toMatch(/accuracy +2 of 6/);
    expect(out).toMatch(/not answered +4, counted as wrong/);
    const written = readFileSync(results, 'utf8').trimEnd().split('\n').slice(1);
    const rows = written.map((text) => JSON.parse(text) as { line: number; mapId?: string; size?: number });
    expect(rows.map(({ line: number }) => number)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rows.map(({ mapId }) => mapId)).toEqual([
      undefined,
      'typed',
      'gone',
      'unscored',
      undefined,
      undefined,
    ]);
    expect(rows[2]!.size).toBe(2);
  });

  it('swaps in no latents of a sample that cannot be asked', async () => {
    const file = samples('swap.jsonl', [
      line('box:\\boxed{RD}', { map_desc }),
      line('q', { map_desc, image_input: 'gone.png' }),
      line('box:\\boxed{RD}', { map_desc }),
    ]);
    const { code, out, err } = await ilvr(
      ['evaluate', '--sample-questions', file, '--intervene', 'swap'],
      engine,
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(/accuracy +2 of 3/);
  });

  it('refuses a file none of whose samples can be used, with the first fault', async () => {
    const file = samples('all-bad.jsonl', [
      line('q', { map_desc, image_input: 'gone.png' }),
      '{"text_input": 3}',
    ]);
    const { code, out, err } = await ilvr(['evaluate', file], engine);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/picture of this sample is missing.*all-bad\.jsonl:1.*--pictures/);
  });

  it('finds the pictures from the folder that --pictures names', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'data', 'images'), { recursive: true });
    copyFileSync(MAP, join(root, 'data', 'images', 'a.png'));
    const file = join(root, 'data', 'sample.jsonl');
    writeFileSync(file, line('box:\\boxed{RD}', { map_desc, image_input: './data/images/a.png' }));
    const args = ['evaluate', '--sample-questions', file];
    const without = await ilvr(args, engine);
    expect([without.code, without.err.includes(root)], without.err).toEqual([1, true]);
    const { code, out } = await ilvr([...args, '--pictures', root], engine);
    expect([code, /accuracy +1 of 1/.test(out)]).toEqual([0, true]);
  });

  it('cancelled keeps what was done', async () => {
    const file = samples('cancel.jsonl', [line('box:\\boxed{RD}', { map_desc }), line('wait', { map_desc })]);
    const results = join(folder, 'cancel-results.jsonl');
    const cancel = new AbortController();
    const run = ilvr(['evaluate', '--sample-questions', file, '--results', results], engine, {
      signal: cancel.signal,
    });
    const lines = (): number => (existsSync(results) ? readFileSync(results, 'utf8').split('\n').length : 0);
    await expect.poll(lines, { timeout: 20_000 }).toBe(3);
    cancel.abort();
    const { code, out } = await run;
    expect(code).toBe(130);
    expect(out).toMatch(/1 of 2 samples are done/);
  });
});

describe('compare', () => {
  const header = {
    format: 'ilvr-results',
    version: 1,
    samples: 'a'.repeat(64),
    model: 'b'.repeat(64),
    provider: 'cpu',
    settings: { temperature: 0, seed: 1 },
  };

  /** A results file: + right, - wrong, ! not answered, per sample; sizes 3 and 4 in turn. */
  function results(name: string, outcomes: string, change: object = {}, more: object = {}): string {
    const lines = Array.from(outcomes, (outcome, i) => ({
      line: i + 1,
      mapId: `m${i + 1}`,
      size: 3 + (i % 2),
      text: '',
      answer: '',
      verdict: 'x',
      success: outcome === '+',
      blocks: 0,
      tokens: 0,
      milliseconds: 1,
      ...(outcome === '!' && { error: 'no picture' }),
      ...more,
    }));
    const file = join(folder, `${name}.jsonl`);
    writeFileSync(
      file,
      [{ ...header, ...change }, ...lines].map((entry) => `${JSON.stringify(entry)}\n`).join(''),
    );
    return file;
  }

  it('gives both accuracies, discordant counts, difference, interval and p, over all and per size', async () => {
    const a = results('compare-a', '+'.repeat(2) + '-'.repeat(8) + '+'.repeat(10));
    const b = results('compare-b', '+'.repeat(10) + '+'.repeat(10), {
      settings: { temperature: 1, seed: 1 },
    });
    const { code, out } = await ilvr(['compare', a, b], engine);
    expect(code).toBe(0);
    expect(out).toMatch(/differ in +temperature\n/);
    expect(out).toMatch(
      /all +A +60\.0 % +B +100\.0 % +only A right 0, only B right 8 of 20 +B − A \+40\.0 points/,
    );
    expect(out).toMatch(/ {2}3 × 3 +A +60\.0 %.*only B right 4 of 10.*p = 0\.125\n/);
    expect(out).toMatch(/B is better on these samples, by more than chance explains .*p = 0\.008/);
    const back = await ilvr(['compare', b, a], engine);
    expect(back.out).toMatch(/B − A −40\.0 points[^]*A is better on these samples/);
  });

  it.each([
    ['+-+-', '+-+-', 'right on the same samples'],
    ['+-+-', '-++-', 'right equally often'],
    ['+---', '+++-', "may be chance (McNemar's exact test, p = 0.500)"],
  ])('of %s and %s says plainly: %s', async (a, b, words) => {
    const { out } = await ilvr(['compare', results('say-a', a), results('say-b', b)], engine);
    expect(out).toContain(words);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('pairs what both have, and says what is left out and what was not answered', async () => {
    const [a, b] = [results('part-a', '+-+-!'), results('part-b', '++')];
    expect((await ilvr(['compare', a, b], engine)).out).toContain('2 in both (left out: 3 only in A)');
    const both = await ilvr(['compare', a, results('part-c', '+++++')], engine);
    expect(both.out).toContain('1 in A, 0 in B, counted as wrong');
  });

  it.each<[string, () => string, string]>([
    ['other samples', () => results('x1', '++', { samples: 'c'.repeat(64) }), 'different samples files'],
    ['another map on a line', () => results('x2', '++', {}, { mapId: 'other' }), 'Line 1 is another sample'],
    ['no sample in common', () => results('x3', ''), 'no sample in common'],
    ['something else', () => samples('x4', ['{"a":1}', '']), 'does not hold results'],
    ['nothing', () => join(folder, 'nowhere.jsonl'), 'no such results file'],
  ])('refuses %s', async (_, other, words) => {
    const { code, err } = await ilvr(['compare', results('one', '+-'), other()], engine);
    expect([code, err.includes(words)], err).toEqual([1, true]);
  });

  it('refuses the same twice: a trace, its copy, results by another path', async () => {
    const [one, copy] = ['twice.ilvr.json', 'copy.ilvr.json'].map((name) => join(folder, name));
    await ilvr(['reason', MAP, '--trace', one!], engine);
    copyFileSync(one!, copy!);
    for (const other of [one!, copy!]) {
      const { code, out, err } = await ilvr(['compare', one!, other], engine);
      expect([code, out, err.trim()]).toEqual([
        1,
        '',
        'A run is not compared with itself: expected traces of two runs, found twice the same. Choose another one.',
      ]);
    }
    const file = results('itself', '+-');
    const { code, err } = await ilvr(['compare', file, `${folder}/./itself.jsonl`], engine);
    expect([code, err]).toEqual([1, expect.stringContaining('Results are not compared with themselves')]);
  });

  it('compares what evaluate wrote', async () => {
    const file = samples('both.jsonl', [line('box:\\boxed{RD}', { original_final_answer: 'x' })]);
    const written = ['one', 'two'].map((name) => join(folder, `evaluated-${name}.jsonl`));
    for (const [i, out] of written.entries())
      await ilvr(['evaluate', '--sample-questions', file, '--results', out, '--seed', `${i}`], engine);
    const { code, out } = await ilvr(['compare', ...written], engine);
    expect([code, out.includes('differ in seed')], out).toEqual([0, true]);
  });
});

describe('conformance', () => {
  it('prints a line per case, the totals last, and fails if one failed', async () => {
    mkdirSync(join(folder, 'goldens'));
    const { code, out } = await ilvr(['conformance', join(folder, 'goldens'), '--filter', 'x'], engine, {
      runConformance: async ({ dir, device, filter, onCase }) => {
        onCase(`ok ${dir.endsWith('goldens')} ${device} ${filter}`);
        return { passed: 2, failed: 1, notRun: 3 };
      },
    });
    expect([code, out]).toEqual([1, 'ok true cpu x\n3 not run\n2 passed, 1 failed\n']);
  });
});

describe('the terminal', () => {
  it('colours on a terminal, and never with NO_COLOR or into a file', async () => {
    const coloured = await ilvr(['reason', MAP], engine, { tty: true });
    const plain = await ilvr(['reason', MAP], engine, { tty: true, env: { NO_COLOR: '1' } });
    const piped = await ilvr(['reason', MAP], engine);
    expect([coloured, plain, piped].map(({ out }) => out.includes('\u001B['))).toEqual([true, false, false]);
  });

  it('updates one progress line on a terminal and repeats none elsewhere', () => {
    const written: string[] = [];
    const make = (isTTY: boolean): Terminal => {
      const stream = { write: (text: string) => written.push(text), isTTY };
      return new Terminal({ out: stream, err: stream, env: {} });
    };
    const terminal = make(true);
    terminal.progress('Loading', 0.5);
    terminal.line('done');
    expect(written.join('')).toBe('\r\u001B[2KLoading 50 %\r\u001B[2Kdone\n');
    written.length = 0;
    const plain = make(false);
    plain.progress('Loading', 0.1);
    plain.progress('Loading', 0.9);
    expect(written).toEqual(['Loading\n']);
  });

  it("passes on a style's escapes and nobody else's, whatever is printed", () => {
    const written: string[] = [];
    const stream = { write: (text: string) => written.push(text), isTTY: true };
    const terminal = new Terminal({ out: stream, err: stream, env: {} });
    const hostile = 'a\u001B[2Jb\u0007\r\n\tc\u202E';
    terminal.print(hostile);
    expect(written.splice(0).join('')).toBe('a\\u001b[2Jb\\u0007\n\tc\\u202e');
    terminal.line(new Styled('red', hostile), hostile);
    const shown = 'a\\u001b[2Jb\\u0007 c\\u202e';
    expect(written.splice(0).join('')).toBe(`\n\u001B[31m${shown}\u001B[39m${shown}\n`);
    terminal.error(hostile);
    expect(written.splice(0).join('')).toBe(`${shown}\n`);
    terminal.errorLines(hostile);
    expect(written.splice(0).join('')).toBe('a\\u001b[2Jb\\u0007\n\tc\\u202e\n');
    terminal.progress(hostile);
    expect(written.splice(0).join('')).toBe(`\r\u001B[2K${shown}`);
  });

  it('shows the name of a tensor that would steer it, in the error about its file', async () => {
    const model = join(temporaryFolder(), 'model');
    cpSync(MODEL, model, { recursive: true, filter: (path) => !path.endsWith('.safetensors') });
    const name = 'evil\u001b]0;PWNED\u0007\u001b[31mred';
    const index = JSON.stringify({ weight_map: { [name]: `${name}.safetensors` } });
    writeFileSync(join(model, 'model.safetensors.index.json'), index);
    const { code, out, err } = await ilvr(['export', model, join(folder, 'never')], engine, { tty: true });
    expect(code).toBe(1);
    expect(err).toContain('evil\\u001b]0;PWNED\\u0007\\u001b[31mred');
    expect(controlsIn(out + err)).toEqual([]);
  });
});

/** Control characters but line ends and what a style or a progress line writes. */
function controlsIn(text: string): string[] {
  const own = ['\r', ...[2, 31, 32, 36, 39, 22, 1].map((code) => `\u001B[${code}m`), '\u001B[2K'];
  const rest = own.reduce((left, code) => left.replaceAll(code, ''), text);
  return rest.match(/[^\P{Cc}\n]/gu) ?? [];
}
