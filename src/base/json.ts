/** JSON as Python's json module writes it: NaN, Infinity and -Infinity, which JSON has not, are among its numbers. */

/** The value of a JSON text; Python's three numbers are read too. @throws SyntaxError as `JSON.parse` does */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const mark = unusedMark(text);
    const plain = outsideStrings(text, (piece) =>
      piece.replaceAll(/\bNaN\b(?!\s*:)/g, `"${mark}"`).replaceAll(/\bInfinity\b/g, '1e999'),
    );
    if (plain === text) throw error;
    return JSON.parse(plain, (_, value: unknown) => (value === mark ? Number.NaN : value));
  }
}

/** Index of the quote that ends the string whose first quote is at `start`; of the text's end if none does. */
export function closingQuote(json: string, start: number): number {
  for (let end = start + 1; ; end++) {
    if (json[end] === '\\') end++;
    else if (json[end] === '"' || end >= json.length) return end;
  }
}

function outsideStrings(json: string, change: (piece: string) => string): string {
  const pieces: string[] = [];
  for (let at = 0; at < json.length;) {
    const quote = json.indexOf('"', at);
    if (quote < 0) return pieces.join('') + change(json.slice(at));
    const end = closingQuote(json, quote) + 1;
    pieces.push(change(json.slice(at, quote)), json.slice(quote, end));
    at = end;
  }
  return pieces.join('');
}

/** Stands for NaN until the values are there. */
function unusedMark(json: string): string {
  let mark = 'NaN';
  while (json.includes(`"${mark}"`)) mark += '~';
  return mark;
}
