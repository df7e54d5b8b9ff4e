/** One layer or head, or how they are joined. Indices are 0-based. */
export type Choice = number | 'mean' | 'max';
