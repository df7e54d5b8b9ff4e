/** Bases by the name of their folder. */
export type BaseName = 'qwen2.5-vl' | 'qwen3-vl';
