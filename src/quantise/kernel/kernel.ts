/**
 * Weights → blocks of 8-bit or 4-bit integers, as onnxruntime's MatMulNBits reads them. AssemblyScript, compiled to
 * WebAssembly with SIMD (scripts/kernel.ts): JavaScript takes ten times as long.
 *
 * A row of K weights is cut into blocks; x ≈ scale · (q - zero). The last block of a row may be short: it is filled
 * up with zeros. Addresses are the caller's, see ../kernel.ts.
 */

/** Numbers of one block as float32. */
const BLOCK = memory.data(256 * 4, 16);

/** Ranges that are tried for a 4-bit block, from the whole down, in steps of the whole: outliers may be cut. */
const RANGES = 7;
const STEP: f32 = 0.045;

/** Set by `widen` when a number is NaN or infinite. */
let notFinite = false;

/**
 * Quantises rows of a matrix.
 * @param from rows · K numbers
 * @param type 0 float32, 1 float16, 2 bfloat16
 * @param size numbers in a block: a power of two from 16 to 256
 * @param bits 8: symmetric around 128; 4: each block has a zero of its own
 * @param data rows · blocks · size · bits / 8 bytes; of 4 bits the low half comes first
 * @param scales rows · blocks float32
 * @param zeros rows · ceil(blocks / 2) bytes; only of 4 bits
 * @returns the row, counted from 0, with the first number that is NaN or infinite; -1 if there is none
 */
export function quantise(
  from: usize,
  type: i32,
  rows: i32,
  K: i32,
  size: i32,
  bits: i32,
  data: usize,
  scales: usize,
  zeros: usize,
): i32 {
  const blocks = (K + size - 1) / size;
  const width: i32 = type == 0 ? 4 : 2;
  for (let row = 0; row < rows; row++) {
    notFinite = false;
    for (let block = 0; block < blocks; block++) {
      const first = block * size;
      widen(from + ((row * K + first) as usize) * width, type, min(size, K - first), size);
      const at = row * blocks + block;
      const scale = scales + ((at as usize) << 2);
      if (bits == 8) {
        quantise8(size, data + (at as usize) * size, scale);
      } else {
        const zero = quantise4(size, data + (at as usize) * (size >> 1), scale);
        const byte = zeros + row * ((blocks + 1) >> 1) + (block >> 1);
        if (block & 1) store<u8>(byte, load<u8>(byte) | ((zero << 4) as u8));
        // An odd last block leaves the upper half at the middle, which nothing reads.
        else store<u8>(byte, (block + 1 == blocks ? zero | 0x80 : zero) as u8);
      }
    }
    if (notFinite) return row;
  }
  return -1;
}

/** `count` numbers at `from` into BLOCK, filled up to `size` with 0. */
function widen(from: usize, type: i32, count: i32, size: i32): void {
  let i = 0;
  if (type == 0) {
    for (; i + 4 <= count; i += 4) v128.store(BLOCK + (i << 2), v128.load(from + (i << 2)));
    for (; i < count; i++) store<f32>(BLOCK + (i << 2), load<f32>(from + (i << 2)));
  } else {
    for (; i + 4 <= count; i += 4) {
      const halves = i32x4.extend_low_i16x8_u(v128.load64_zero(from + (i << 1)));
      v128.store(BLOCK + (i << 2), type == 1 ? fromFloat16(halves) : i32x4.shl(halves, 16));
    }
    for (; i < count; i++) {
      const half = i32x4.splat(load<u16>(from + (i << 1)) as i32);
      const wide = type == 1 ? fromFloat16(half) : i32x4.shl(half, 16);
      store<f32>(BLOCK + (i << 2), f32x4.extract_lane(wide, 0));
    }
  }
  for (; i < size; i++) store<f32>(BLOCK + (i << 2), 0);
}

/** Four float16 in the lower halves of their lanes → float32. An exponent of all ones stays one. */
function fromFloat16(bits: v128): v128 {
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  const rest = v128.and(bits, i32x4.splat(0x7fff));
  // Its exponent is biased by 15, a float32's by 127: as a float32 it is too small by 2^112, subnormal or not.
  const scaled = f32x4.mul(i32x4.shl(rest, 13), f32x4.splat(reinterpret<f32>(0x77800000)));
  const special = v128.and(i32x4.ge_s(rest, i32x4.splat(0x7c00)), i32x4.splat(0x7f800000));
  return v128.or(v128.or(scaled, special), sign);
}

function quantise8(size: i32, data: usize, scale: usize): void {
  let most = f32x4.splat(0);
  let odd = i32x4.splat(0);
  for (let i = 0; i < size; i += 4) {
    const x = f32x4.abs(v128.load(BLOCK + (i << 2)));
    odd = v128.or(odd, isNotFinite(x));
    most = f32x4.pmax(most, x);
  }
  if (v128.any_true(odd)) notFinite = true;
  const largest = max(largestLane(most), 0);
  store<f32>(scale, largest / 127);
  const perUnit = f32x4.splat(largest > 0 ? 127 / largest : 0);
  for (let i = 0; i < size; i += 16) {
    const at = BLOCK + (i << 2);
    const low = i16x8.narrow_i32x4_s(steps8(at, perUnit), steps8(at + 16, perUnit));
    const high = i16x8.narrow_i32x4_s(steps8(at + 32, perUnit), steps8(at + 48, perUnit));
    v128.store(data + i, i8x16.narrow_i16x8_u(low, high));
  }
}

@inline
function steps8(at: usize, perUnit: v128): v128 {
  const steps = f32x4.nearest(f32x4.mul(v128.load(at), perUnit));
  return i32x4.add(i32x4.trunc_sat_f32x4_s(steps), i32x4.splat(128));
}

/**
 * The range that keeps most of the block: for whole steps s_i = q_i - zero the best scale is Σ x s / Σ s², and what is
 * then left of Σ x² is smallest where (Σ x s)² / Σ s² is largest.
 * @returns the zero
 */
function quantise4(size: i32, data: usize, scale: usize): i32 {
  let lowest = f32x4.splat(0);
  let highest = f32x4.splat(0);
  let odd = i32x4.splat(0);
  for (let i = 0; i < size; i += 4) {
    const x = v128.load(BLOCK + (i << 2));
    odd = v128.or(odd, isNotFinite(f32x4.abs(x)));
    lowest = f32x4.pmin(lowest, x);
    highest = f32x4.pmax(highest, x);
  }
  if (v128.any_true(odd)) notFinite = true;
  const low = -largestLane(f32x4.neg(lowest));
  const high = largestLane(highest);
  const range = high - low;
  if (!(range > 0) || notFinite) {
    store<f32>(scale, 0);
    memory.fill(data, 0x88, (size >> 1) as usize);
    return 8;
  }
  // The range keeps its middle as it shrinks, and so its zero.
  const zero: f32 = nearest((-low * 15) / range);
  let best: f32 = -1;
  let bestPerUnit: f32 = 0;
  let bestScale: f32 = 0;
  for (let n = 0; n < RANGES; n++) {
    const perUnit: f32 = 15 / (range * (1 - STEP * (n as f32)));
    // Two sums of each, so that one addition need not wait for the other.
    let across = f32x4.splat(0);
    let across2 = f32x4.splat(0);
    let squares = f32x4.splat(0);
    let squares2 = f32x4.splat(0);
    for (let i = 0; i < size; i += 8) {
      const x = v128.load(BLOCK + (i << 2));
      const x2 = v128.load(BLOCK + (i << 2), 16);
      const s = steps4(x, perUnit, zero);
      const s2 = steps4(x2, perUnit, zero);
      across = f32x4.add(across, f32x4.mul(x, s));
      across2 = f32x4.add(across2, f32x4.mul(x2, s2));
      squares = f32x4.add(squares, f32x4.mul(s, s));
      squares2 = f32x4.add(squares2, f32x4.mul(s2, s2));
    }
    const a = sumOfLanes(f32x4.add(across, across2));
    const b = sumOfLanes(f32x4.add(squares, squares2));
    if (b > 0 && a > 0 && (a / b) * a > best) {
      best = (a / b) * a;
      bestPerUnit = perUnit;
      bestScale = a / b;
    }
  }
  store<f32>(scale, bestScale);
  const offset = f32x4.splat(zero);
  for (let i = 0; i < size; i += 8) {
    const at = BLOCK + (i << 2);
    const first = f32x4.add(steps4(v128.load(at), bestPerUnit, zero), offset);
    const second = f32x4.add(steps4(v128.load(at + 16), bestPerUnit, zero), offset);
    const words = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(first), i32x4.trunc_sat_f32x4_s(second));
    // Two neighbours, in one 32-bit lane, become one byte.
    const pairs = v128.or(words, i32x4.shr_u(words, 12));
    const bytes = v128.and(pairs, i32x4.splat(0xff));
    store<u8>(data + (i >> 1), i32x4.extract_lane(bytes, 0) as u8);
    store<u8>(data + (i >> 1) + 1, i32x4.extract_lane(bytes, 1) as u8);
    store<u8>(data + (i >> 1) + 2, i32x4.extract_lane(bytes, 2) as u8);
    store<u8>(data + (i >> 1) + 3, i32x4.extract_lane(bytes, 3) as u8);
  }
  return zero as i32;
}

/** q - zero of four numbers, as float32. */
@inline
function steps4(x: v128, perUnit: f32, zero: f32): v128 {
  const steps = f32x4.nearest(f32x4.mul(x, f32x4.splat(perUnit)));
  return f32x4.pmin(f32x4.pmax(steps, f32x4.splat(-zero)), f32x4.splat(15 - zero));
}

/** All ones where a magnitude is infinite or NaN. */
@inline
function isNotFinite(magnitude: v128): v128 {
  return v128.not(f32x4.lt(magnitude, f32x4.splat(Infinity)));
}

function largestLane(x: v128): f32 {
  return max(
    max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)),
  );
}

function sumOfLanes(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3)
  );
}
