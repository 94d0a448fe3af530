// Block quantisation, in AssemblyScript: `npm run build:wasm` turns this file into src/generated/pack-wasm.ts. What it computes is
// described in src/pack-kernel.ts. Pointers are bytes; f32 arrays are 4-aligned, `temporary` has 16 * blockSize bytes.

@inline function at(pointer: usize): v128 { return v128.load(pointer); }

/** bfloat16 -> f32; writes up to 7 elements past `count`. */
export function widenBf16(bits: usize, values: usize, count: i32): void {
  const zero = i16x8.splat(0);
  for (const end = values + (<usize>count << 2); values < end; values += 32) {
    const v = at(bits);
    v128.store(values, i8x16.shuffle(zero, v, 0, 1, 16, 17, 0, 1, 18, 19, 0, 1, 20, 21, 0, 1, 22, 23));
    v128.store(values + 16, i8x16.shuffle(zero, v, 0, 1, 24, 25, 0, 1, 26, 27, 0, 1, 28, 29, 0, 1, 30, 31));
    bits += 16;
  }
}

/** Four binary16 (in the low halves of i32 lanes) -> f32: the exponent is moved by a product, which also makes subnormals right. */
@inline function widenHalf(h: v128): v128 {
  const magnitude = i32x4.shl(v128.and(h, i32x4.splat(0x7fff)), 13);
  const scaled = f32x4.mul(magnitude, f32x4.splat(reinterpret<f32>(0x77800000)));
  const special = v128.and(i32x4.ge_s(magnitude, i32x4.splat(0x0f800000)), i32x4.splat(0x7f800000));
  const sign = i32x4.shl(v128.and(h, i32x4.splat(0x8000)), 16);
  return v128.or(v128.or(scaled, special), sign);
}

/** binary16 -> f32; writes up to 7 elements past `count`. */
export function widenF16(bits: usize, values: usize, count: i32): void {
  for (const end = values + (<usize>count << 2); values < end; values += 32) {
    const v = at(bits);
    v128.store(values, widenHalf(i32x4.extend_low_i16x8_u(v)));
    v128.store(values + 16, widenHalf(i32x4.extend_high_i16x8_u(v)));
    bits += 16;
  }
}

/** Bits turned left by one order floats by magnitude, at equal magnitude the negative one above. */
@inline function turned4(v: v128): v128 { return v128.or(i32x4.shl(v, 1), i32x4.shr_u(v, 31)); }
@inline function turned(v: u32): u32 { return (v << 1) | (v >> 31); }
@inline function scaleOf(key: u32, zero: f32): f32 { return reinterpret<f32>((key >> 1) | (key << 31)) / -zero; }
/** The turned bits of infinity; NaNs lie above. */
const NOT_FINITE: u32 = 0xff000000;

/** floor(v * inverse + zero + 1/2), at most 2 * zero - 1, as i32. Sums are rounded as onnxruntime rounds them. */
@inline function quantise(v: v128, inverse: v128, zero: v128, most: v128): v128 {
  const y = f32x4.add(f32x4.mul(v, inverse), zero);
  return i32x4.min_s(i32x4.trunc_sat_f32x4_s(f32x4.add(y, f32x4.splat(0.5))), most);
}

/** Sixteen values -> sixteen bytes. */
@inline function quantise16(from: usize, inverse: v128, zero: v128, most: v128): v128 {
  return i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(quantise(at(from), inverse, zero, most), quantise(at(from + 16), inverse, zero, most)),
    i16x8.narrow_i32x4_s(quantise(at(from + 32), inverse, zero, most), quantise(at(from + 48), inverse, zero, most)),
  );
}

/** Sixteen bytes below 16 -> eight bytes in the low half: the first of each pair is the low half of its byte. */
@inline function pairs(q: v128): v128 {
  const both = v128.and(v128.or(q, i16x8.shr_u(q, 4)), i16x8.splat(0xff));
  return i8x16.narrow_i16x8_u(both, both);
}

@inline function storeQuantised(to: usize, q: v128, bits: i32): void {
  if (bits == 8) v128.store(to, q);
  else v128.store64_lane(to, pairs(q), 0);
}

/** See src/pack-kernel.ts. `temporary`: one block of f32 zeros is kept there for the end of a row. */
export function packRows(
  values: usize, rows: i32, columns: i32, bits: i32, blockSize: i32, packed: usize, scales: usize, temporary: usize,
): i32 {
  const zero: f32 = bits == 8 ? 128 : 8;
  const zero4 = f32x4.splat(zero), most4 = i32x4.splat(2 * <i32>zero - 1);
  const step = (<usize>16 * bits) >> 3;
  const bytes = <usize>blockSize << 2;
  for (let row = 0; row < rows; row++) {
    const rowEnd = values + (<usize>columns << 2);
    for (; values < rowEnd; values += bytes) {
      let from = values;
      if (rowEnd - values < bytes) {
        memory.fill(temporary, 0, bytes);
        memory.copy(temporary, values, rowEnd - values);
        from = temporary;
      }
      let keys = i32x4.splat(0);
      for (let p = from; p < from + bytes; p += 16) keys = i32x4.max_u(keys, turned4(at(p)));
      keys = i32x4.max_u(keys, i8x16.shuffle(keys, keys, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
      keys = i32x4.max_u(keys, i8x16.shuffle(keys, keys, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
      const key = <u32>i32x4.extract_lane(keys, 0);
      if (key >= NOT_FINITE) return 0;
      const scale = scaleOf(key, zero);
      store<f32>(scales, scale);
      scales += 4;
      const inverse = f32x4.splat(scale == 0 ? 0 : 1 / scale);
      for (let p = from; p < from + bytes; p += 64) {
        storeQuantised(packed, quantise16(p, inverse, zero4, most4), bits);
        packed += step;
      }
    }
    values = rowEnd;
  }
  return 1;
}

@inline function low(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
@inline function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** Transposes 16 x 16 bytes in place: four times, row i and row i + 8 are dealt into rows 2i and 2i + 1. */
function transpose(p: usize): void {
  for (let pass = 0; pass < 4; pass++) {
    const a = at(p), b = at(p + 16), c = at(p + 32), d = at(p + 48), e = at(p + 64), f = at(p + 80), g = at(p + 96), h = at(p + 112);
    const i = at(p + 128), j = at(p + 144), k = at(p + 160), l = at(p + 176);
    const m = at(p + 192), n = at(p + 208), o = at(p + 224), q = at(p + 240);
    v128.store(p, low(a, i));
    v128.store(p + 16, high(a, i));
    v128.store(p + 32, low(b, j));
    v128.store(p + 48, high(b, j));
    v128.store(p + 64, low(c, k));
    v128.store(p + 80, high(c, k));
    v128.store(p + 96, low(d, l));
    v128.store(p + 112, high(d, l));
    v128.store(p + 128, low(e, m));
    v128.store(p + 144, high(e, m));
    v128.store(p + 160, low(f, n));
    v128.store(p + 176, high(f, n));
    v128.store(p + 192, low(g, o));
    v128.store(p + 208, high(g, o));
    v128.store(p + 224, low(h, q));
    v128.store(p + 240, high(h, q));
  }
}

/** See src/pack-kernel.ts. Sixteen columns at a time; reads up to 15 values past the last row, which count as none. */
export function packColumns(
  values: usize, rows: i32, columns: i32, bits: i32, blockSize: i32,
  packed: usize, packedStep: usize, scales: usize, scalesStep: usize, temporary: usize,
): i32 {
  const zero: f32 = bits == 8 ? 128 : 8;
  const zero4 = f32x4.splat(zero), most4 = i32x4.splat(2 * <i32>zero - 1);
  const rowBytes = <usize>columns << 2;
  const part = (<usize>16 * bits) >> 3;
  for (let first = 0; first < columns; first += 16) {
    const here = min(16, columns - first);
    const start = values + (<usize>first << 2);
    let k0 = i32x4.splat(0), k1 = k0, k2 = k0, k3 = k0;
    for (let row = 0, p = start; row < rows; row++, p += rowBytes) {
      k0 = i32x4.max_u(k0, turned4(at(p)));
      k1 = i32x4.max_u(k1, turned4(at(p + 16)));
      k2 = i32x4.max_u(k2, turned4(at(p + 32)));
      k3 = i32x4.max_u(k3, turned4(at(p + 48)));
    }
    v128.store(temporary, k0);
    v128.store(temporary + 16, k1);
    v128.store(temporary + 32, k2);
    v128.store(temporary + 48, k3);
    for (let c = 0; c < here; c++) {
      const key = load<u32>(temporary + (<usize>c << 2));
      if (key >= NOT_FINITE) return 0;
      const scale = scaleOf(key, zero);
      store<f32>(scales + <usize>(first + c) * scalesStep, scale);
      store<f32>(temporary + (<usize>c << 2), scale == 0 ? 0 : 1 / scale);
    }
    const i0 = at(temporary), i1 = at(temporary + 16), i2 = at(temporary + 32), i3 = at(temporary + 48);
    let to = temporary;
    for (let row = 0, p = start; row < rows; row++, p += rowBytes) {
      v128.store(to, i8x16.narrow_i16x8_u(
        i16x8.narrow_i32x4_s(quantise(at(p), i0, zero4, most4), quantise(at(p + 16), i1, zero4, most4)),
        i16x8.narrow_i32x4_s(quantise(at(p + 32), i2, zero4, most4), quantise(at(p + 48), i3, zero4, most4)),
      ));
      to += 16;
    }
    memory.fill(to, <u8>zero, temporary + (<usize>blockSize << 4) - to);
    for (let row = 0; row < blockSize; row += 16) {
      const square = temporary + (<usize>row << 4);
      transpose(square);
      const target = packed + <usize>first * packedStep + (<usize>row >> 4) * part;
      for (let c = 0; c < here; c++) storeQuantised(target + <usize>c * packedStep, at(square + (<usize>c << 4)), bits);
    }
  }
  return 1;
}
