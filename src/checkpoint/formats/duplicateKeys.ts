/**
 * Duplicate names in JSON. `JSON.parse` keeps the last of two equal keys in silence; in a file that says
 * where tensors lie, that would let one header mean two things to two readers.
 */

import { closingQuote } from '../../base/json.ts';

/**
 * The first key that occurs twice in one object, or undefined.
 * @param json text that `JSON.parse` has accepted; this scanner relies on it.
 */
export function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // one per nesting level; undefined for an array
  let last = ''; // the last string seen; a colon after it makes it a key
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === '"') {
      const end = closingQuote(json, i);
      last = json.slice(i, end + 1);
      i = end;
    } else if (character === '{') open.push(new Set());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
    else if (character === ':') {
      const key = JSON.parse(last) as string; // so that "\u0061" and "a" are one key
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
