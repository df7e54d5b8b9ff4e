/** The evaluations of a samples file that lie beside it, and their results, followed while they grow. */

import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FED, type Fed } from '../../evaluation/fed.ts';
import {
  headerIn,
  passPath,
  resultIn,
  type ResultsHeader,
  type SampleResult,
} from '../../evaluation/results.ts';
import { openPlainFile } from '../../files/plainFile.ts';
import { GrowingLines } from '../growingLines.ts';

/** Of a results file; what an evaluation reads back itself. */
const MAX_BYTES = 500_000_000;
/** A header is a few hundred bytes, and a system prompt. */
const MAX_HEADER_BYTES = 2 ** 16;
/** Files beside the samples that are looked at. */
const MAX_FILES = 300;
/** Longer texts are only compared. */
const MAX_TEXT = 64;

/** An evaluation at hand: its passes' files have its name but for what was fed. */
export interface FoundEvaluation {
  /** Path of its results, without what was fed: "samples.maze.results.jsonl". */
  id: string;
  header: ResultsHeader;
  /** The newest of its files, milliseconds since the epoch. */
  time: number;
}

/** Evaluations of the samples with this sha256, in the file's folder; the newest first. */
export async function findEvaluations(samples: string, hash: string): Promise<FoundEvaluation[]> {
  const folder = dirname(samples);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.jsonl'));
  const found = new Map<string, FoundEvaluation>();
  for (const name of names.toSorted().slice(0, MAX_FILES)) {
    const file = join(folder, name);
    if (file === samples) continue;
    const header = await headerOf(file);
    if (header?.samples !== hash) continue;
    const id = idOf(file, fedOf(header));
    const time = (await stat(file).catch(() => undefined))?.mtimeMs ?? 0;
    const known = found.get(id);
    if (known === undefined) found.set(id, { id, header, time });
    else {
      known.time = Math.max(known.time, time);
      if (fedOf(header) === 'own') known.header = header;
    }
  }
  return [...found.values()].toSorted((a, b) => b.time - a.time);
}

/** The header of a results file; undefined if it is something else. */
export async function headerOf(file: string): Promise<ResultsHeader | undefined> {
  try {
    const { handle } = await openPlainFile(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_HEADER_BYTES), { position: 0 });
      const end = buffer.subarray(0, bytesRead).indexOf(10);
      return end < 0 ? undefined : headerIn(buffer.toString('utf8', 0, end));
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

/** What is fed in an evaluation's pass. */
export function fedOf({ settings }: ResultsHeader): Fed {
  return FED.find((fed) => fed === settings['intervention']) ?? 'own';
}

function idOf(file: string, fed: Fed): string {
  const ending = `.${fed}.jsonl`;
  return file.endsWith(ending) ? `${file.slice(0, -ending.length)}.jsonl` : file;
}

/** One pass of an evaluation, as far as it has come. */
export interface Pass {
  fed: Fed;
  header: ResultsHeader;
  /** By line of the sample. */
  results: ReadonlyMap<number, SampleResult>;
}

/** The results of one evaluation, followed by its files, whoever writes them. */
export class FollowedResults {
  readonly id: string;
  private readonly samples: string;
  private readonly files: { file: string; lines: GrowingLines<ResultsHeader | SampleResult> }[];

  /** @param samples sha256 of the samples file; results of others are not looked at */
  constructor(id: string, samples: string) {
    this.id = id;
    this.samples = samples;
    // A pass that was run alone may have the name without what was fed.
    this.files = [...FED.map((fed) => passPath(id, fed)), id].map((file) => ({
      file,
      lines: new GrowingLines(lineOf, MAX_BYTES),
    }));
  }

  get name(): string {
    return basename(this.id);
  }

  /** Reads what was added. @returns whether anything was */
  async refresh(): Promise<boolean> {
    let grown = false;
    for (const { file, lines } of this.files) {
      const before = lines.lines;
      // One that is not there yet, or is just being replaced, is read at the next look.
      await lines.read(file).catch(() => undefined);
      grown ||= lines.lines !== before;
    }
    return grown;
  }

  /** In the order of what can be fed. */
  passes(): Pass[] {
    const all = this.files.flatMap(({ lines: { lines } }): Pass[] => {
      const [header, ...results] = lines;
      if (header === undefined || !isHeader(header) || header.samples !== this.samples) return [];
      const found = results.flatMap((result): [number, SampleResult][] =>
        isHeader(result) ? [] : [[result.line, result]],
      );
      return [{ fed: fedOf(header), header, results: new Map(found) }];
    });
    return FED.flatMap((fed) => all.find((pass) => pass.fed === fed) ?? []);
  }
}

function isHeader(line: ResultsHeader | SampleResult): line is ResultsHeader {
  return 'format' in line;
}

/** Of long texts nothing is shown; whether two are equal must still be told. */
function lineOf(line: string): ResultsHeader | SampleResult | undefined {
  const result = resultIn(line);
  if (result === undefined) return headerIn(line);
  if (result.text.length <= MAX_TEXT) return result;
  const digest = createHash('sha1').update(result.text).digest('base64');
  return { ...result, text: digest };
}
