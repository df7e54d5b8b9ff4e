/**
 * IEEE half precision, by tables: attention is stored in it, hundreds of thousands of numbers a step. A probability p
 * is off by at most p / 2048, or by 3e-8 where it is below 6e-5.
 */

interface Encoding {
  /** By sign and exponent of a float32: the half that the fraction is added to. */
  base: Uint16Array;
  /** Bits of the fraction, its leading one included, that are lost. */
  shift: Uint8Array;
}

/** Exponent of infinity and NaN. */
const SPECIAL = 0xff;
const NOT_A_NUMBER = 0x7e00;

let encoding: Encoding | undefined;
let decoding: Float32Array | undefined;

/** Rounded to nearest, ties away from zero; infinite from 65520 on. */
export function toFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const { base, shift } = (encoding ??= makeEncoding());
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const kind = word >>> 23;
    const fraction = word & 0x7fffff;
    // Half of the last bit that stays is added before the cut; a carry runs into the exponent, as it must.
    halves[i] = base[kind]! + ((((fraction | 0x800000) >>> (shift[kind]! - 1)) + 1) >>> 1);
    if ((kind & SPECIAL) === SPECIAL && fraction !== 0) halves[i] = NOT_A_NUMBER;
  }
  return halves;
}

/** Exact. */
export function fromFloat16s(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const table = (decoding ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => fromFloat16(bits)));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i]!]!;
  return values;
}

function makeEncoding(): Encoding {
  const base = new Uint16Array(512);
  // By this much every fraction is lost.
  const shift = new Uint8Array(512).fill(31);
  for (let kind = 0; kind < 512; kind++) {
    const exponent = (kind & SPECIAL) - 127;
    base[kind] = kind > SPECIAL ? 0x8000 : 0;
    if (exponent > 15) {
      base[kind]! |= 0x7c00;
    } else if (exponent >= -14) {
      // The fraction's leading one adds 1 to the exponent.
      base[kind]! |= (exponent + 14) << 10;
      shift[kind] = 13;
    } else if (exponent >= -25) {
      shift[kind] = -exponent - 1;
    }
  }
  return { base, shift };
}

/** One half's bits as a number. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
