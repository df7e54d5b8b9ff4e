/**
 * The alphabet of byte-level BPE: every byte is written as one printable character, so that a vocabulary
 * of byte strings fits in JSON. Source: `bytes_to_unicode` of GPT-2's encoder.py, used by Qwen unchanged.
 */

/** Character → byte. Printable Latin-1 stands for itself, the other 68 bytes for U+0100 and on. */
const BYTE_OF = new Map<string, number>();

for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  BYTE_OF.set(String.fromCharCode(printable ? byte : next++), byte);
}

/**
 * The bytes that a vocabulary entry stands for. An entry with a character outside the alphabet stands for
 * its own UTF-8, as in the tokenizers library (`ByteLevel::decode_chain`).
 */
export function bytesOfToken(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF.get(token[i]!);
    if (byte === undefined) return new TextEncoder().encode(token);
    bytes[i] = byte;
  }
  return bytes;
}
