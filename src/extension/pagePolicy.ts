/**
 * The security policy of our pages, for the extension, the tests and the previews alike: the script and styles of
 * this page and nothing else. Pictures are decoded from memory, so none may be loaded; no font, frame or
 * connection either. Knows nothing of VS Code.
 */

/**
 * @param source where style sheets come from
 * @param nonce of this page alone; the toolkit reads it, from the meta element csp-nonce, for styles of its own
 */
export function pagePolicy(source: string, nonce: string): string {
  return `default-src 'none'; style-src ${source} 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
}
