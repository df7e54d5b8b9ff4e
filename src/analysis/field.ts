/** A parameter of an analysis as a page shows it. Free of schemas, so that a page can have it. */

export type ParameterField = { name: string; label: string } & (
  | { kind: 'number'; isWhole: boolean; min?: number; max?: number; value: number }
  /** One of some words. */
  | { kind: 'one'; options: FieldOption[]; value: string }
  /** At least one of some words. */
  | { kind: 'several'; options: FieldOption[]; value: string[] }
  /** Indices of new tokens, which readers count from 1; none: those of the answer. */
  | { kind: 'positions'; value: number[] }
  | { kind: 'switch'; value: boolean }
);

export interface FieldOption {
  value: string;
  label: string;
}
