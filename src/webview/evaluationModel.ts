/** The samples file that is shown: its state as the host tells it, and of its rows those near what is seen. */

import { messageOf } from '../base/errors.ts';
import {
  MAX_ROWS_AT_ONCE,
  type EvaluationPageHost,
  type EvaluationPageMethods,
  type Row,
  type RowPicture,
  type RowQuery,
  type TableState,
} from '../protocol/evaluation.ts';
import { PageModel } from './pageModel.ts';

type Source = Pick<EvaluationPageHost, 'rows' | 'picture'>;

/** Rows asked for together. */
const BLOCK = MAX_ROWS_AT_ONCE / 4;
/** Rows and small pictures that are kept. */
const MAX_BLOCKS = 40;
const MAX_PICTURES = 400;
/** Pixels of a small picture's longer side: a thumbnail at twice its size, for sharp screens. */
const SMALL = 80;

export type Small = ImageBitmap | { problem: string } | undefined;

export class EvaluationModel extends PageModel implements EvaluationPageMethods {
  state: TableState | undefined;
  query: RowQuery;
  /** Rows that pass the filters. */
  count = 0;
  /** Why rows could not be had. */
  problem: string | undefined;
  private readonly source: Source;
  /** By the number of their block; `asked` says by which query and state they were last asked for, `version` of which they are. */
  private readonly blocks = new Map<number, { rows: Row[]; asked: string; version: number }>();
  private readonly pictures = new Map<number, Small | 'asked'>();

  constructor(query: RowQuery, source: Source) {
    super();
    this.query = query;
    this.source = source;
  }

  async show(state: TableState): Promise<void> {
    if (this.state !== undefined && state.file !== this.state.file) this.pictures.clear();
    this.state = state;
    this.changed();
  }

  ask(query: RowQuery): void {
    if (JSON.stringify(query) === JSON.stringify(this.query)) return;
    this.query = query;
    this.blocks.clear();
    this.changed();
  }

  /** A row by its place; undefined until it has come. What is out of date is shown until the new one comes. */
  row(index: number): Row | undefined {
    return this.blocks.get(Math.floor(index / BLOCK))?.rows[index % BLOCK];
  }

  /** Asks for rows that are not there, or are of an older state. */
  need(indices: readonly number[]): void {
    if (this.state === undefined) return;
    for (const block of new Set(indices.map((index) => Math.floor(index / BLOCK)))) this.fetch(block);
  }

  /** The small picture of a sample; asked for if it is not there yet. */
  picture(line: number): Small {
    const known = this.pictures.get(line);
    if (known === 'asked') return undefined;
    if (known !== undefined) return known;
    this.pictures.set(line, 'asked');
    void this.source
      .picture(line)
      .then(smallOf)
      .catch((error: unknown): Small => ({ problem: messageOf(error) }))
      .then((small) => {
        this.pictures.set(line, small ?? { problem: '' });
        const oldest = this.pictures.keys().next().value;
        if (this.pictures.size > MAX_PICTURES && oldest !== undefined) this.pictures.delete(oldest);
        this.changed();
      });
    return undefined;
  }

  private fetch(block: number): void {
    const key = `${this.state?.version} ${JSON.stringify(this.query)}`;
    const known = this.blocks.get(block);
    if (known?.asked === key) return;
    if (known !== undefined) known.asked = key;
    else this.blocks.set(block, { rows: [], asked: key, version: -1 });
    const { query } = this;
    void this.source.rows(query, block * BLOCK, BLOCK).then(
      ({ rows, count, version }) => {
        const now = this.blocks.get(block);
        if (now === undefined || query !== this.query || version < now.version) return;
        // Of an older state they are shown all the same: on a busy computer states may come faster than rows.
        this.blocks.delete(block);
        this.blocks.set(block, { rows, asked: now.asked, version });
        const oldest = this.blocks.keys().next().value;
        if (this.blocks.size > MAX_BLOCKS && oldest !== undefined) this.blocks.delete(oldest);
        this.count = count;
        this.problem = undefined;
        this.changed();
      },
      (error: unknown) => {
        this.problem = messageOf(error);
        this.changed();
      },
    );
  }
}

/** The host has checked what the bytes claim; a browser decodes them in a process of its own. */
async function smallOf({ bytes, type, width, height, problem }: RowPicture): Promise<Small> {
  if (bytes === undefined || type === undefined || width === undefined || height === undefined) {
    return problem === undefined ? undefined : { problem };
  }
  const scale = Math.min(1, SMALL / Math.max(width, height));
  return createImageBitmap(new Blob([bytes.slice()], { type }), {
    resizeWidth: Math.max(1, Math.round(width * scale)),
    resizeHeight: Math.max(1, Math.round(height * scale)),
    resizeQuality: 'medium',
  });
}
