/** Reads the places out of an error's "where". */

export interface Place {
  file: string;
  /** Counted from 1. */
  line?: number;
}

/** Those with a line first: they say most. */
export function placesIn(where: string): Place[] {
  const places = where.split(/, | or /).map((text): Place => {
    const match = /^(.*):(\d+)$/s.exec(text);
    return match === null ? { file: text } : { file: match[1]!, line: Number(match[2]) };
  });
  return [
    ...places.filter(({ line }) => line !== undefined),
    ...places.filter(({ line }) => line === undefined),
  ];
}
