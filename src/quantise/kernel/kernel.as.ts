/**
 * Weights → blocks of 8-bit or 4-bit integers, as onnxruntime's MatMulNBits reads them. AssemblyScript: compiled
 * to WebAssembly with SIMD by scripts/build.ts, because JavaScript takes ten times as long.
 *
 * A row of K weights is cut into blocks of B; x ≈ scale · (q - zero). The caller lays out the memory (see
 * ../kernel.ts) and pads nothing: the last block of a row may be short, and is filled with `zero`.
 */

/** Numbers of one block as float32, filled up with zeros. */
const BLOCK = memory.data(256 * 4, 16);
/** Candidates of a block's width, as shares of its range. */
const CANDIDATES = 8;
const NARROWEST: f32 = 0.72;

/** Element types of the source. */
const F32 = 0;
const F16 = 1;

/**
 * Widens `count` numbers at `from` into BLOCK and fills up to `size` with 0.
 * @param type 0 float32, 1 float16, 2 bfloat16
 */
function load(from: usize, type: i32, count: i32, size: i32): void {
  let i = 0;
  if (type == F32) {
    for (; i + 4 <= count; i += 4) v128.store(BLOCK + (i << 2), v128.load(from + (i << 2)));
    for (; i < count; i++) store<f32>(BLOCK + (i << 2), load_f32(from + (i << 2)));
  } else if (type == F16) {
    for (; i < count; i++) store<f32>(BLOCK + (i << 2), half(load_u16(from + (i << 1))));
  } else {
    for (; i + 4 <= count; i += 4) {
      const wide = i32x4.extend_low_i16x8_u(v128.load64_zero(from + (i << 1)));
      v128.store(BLOCK + (i << 2), i32x4.shl(wide, 16));
    }
    for (; i < count; i++) store<f32>(BLOCK + (i << 2), reinterpret<f32>(<u32>load_u16(from + (i << 1)) << 16));
  }
  for (; i < size; i++) store<f32>(BLOCK + (i << 2), 0);
}

@inline
function load_f32(at: usize): f32 {
  return load_<f32>(at);
}

@inline
function load_u16(at: usize): u16 {
  return load_<u16>(at);
}

@inline
// @ts-ignore: decorator
function load_<T>(at: usize): T {
  return <T>0;
}
