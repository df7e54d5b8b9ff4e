/**
 * A family of latent reasoners: its protocol as data, what tells its checkpoints, and how its authors run them. To
 * support another one is to write such an object and to list it in ./all.ts; docs/models.md shows how.
 */

import type { BaseName } from '../bases/name.ts';
import type { ProtocolRecord, ProtocolRules } from '../protocol.ts';

export interface Family {
  record: ProtocolRecord;
  known: Evidence;
  /** Fields of config.json that hold the ids of its tokens. Where there are none, the tokenizer knows them by name. */
  idFields: { start?: string; pad?: string; end?: string };
  /** What of the record a checkpoint's own config.json decides. */
  configured?: (settings: Settings) => Partial<ProtocolRules>;
  /** Where its weights are, on the Hugging Face hub. */
  weights: readonly string[];
  /** Whether our runs were compared with those of its released code. */
  checked: boolean;
  released: ReleasedRun;
  /** What a reader should know before a run, in sentences. */
  notes?: readonly string[];
  /** What its authors trained. */
  base: BaseName;
}

/** A field of config.json, at its top or in its text_config. */
export type Settings = (field: string) => unknown;

/** What tells a checkpoint, never ids: an id that is a pad in one project is a start in another. */
export interface Evidence {
  /** First entry of `architectures`. */
  architecture?: string;
  /** Fields of config.json that no other project writes. */
  fields: readonly string[];
  /** Tokens that no other project adds. */
  tokens: readonly string[];
  /** Tokens that must all be there, where others share them. */
  allTokens?: readonly string[];
  /** Fields with these values ("*" for any) that are needed beside the tokens. */
  settings?: Readonly<Record<string, string>>;
}

/** How the authors' own evaluation runs it, as far as it is published. */
export interface ReleasedRun {
  /** 0 is greedy. */
  temperature?: number;
  topP?: number;
  topK?: number;
  repetitionPenalty?: number;
  maxTokens?: number;
  system?: string;
}
