/** @file f16 and bf16 bit patterns to f32 and back (IEEE 754 binary16; bfloat16 is the upper half of binary32). */

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

let halfTable: Float32Array | undefined;

/** All 65,536 binary16 values, by bit pattern: one look-up per element is faster than the arithmetic. */
function halves(): Float32Array {
  if (halfTable) return halfTable;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent < 31
          ? (1 + fraction / 1024) * 2 ** (exponent - 15)
          : fraction === 0
            ? Infinity
            : NaN;
    table[bits] = bits & 0x8000 ? -magnitude : magnitude;
  }
  return (halfTable = table);
}

/** binary16 bits -> f32, exact. */
export function f16ToF32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const table = halves();
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

/** bfloat16 bits -> f32, exact. */
export function bf16ToF32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return out;
}

/** f32 -> bfloat16 bits, rounded to nearest even as PyTorch does; NaN stays NaN. */
export function f32ToBf16(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i]!;
    const w = word[0]!;
    out[i] = float[0] === float[0] ? (w + 0x7fff + ((w >>> 16) & 1)) >>> 16 : 0x7fc0;
  }
  return out;
}

/** f32 -> binary16 bits, rounded to nearest even; beyond 65,504 becomes infinity, NaN stays NaN. */
export function f32ToF16(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i]!;
    const w = word[0]!;
    const sign = (w >>> 16) & 0x8000;
    const magnitude = Math.abs(float[0]);
    if (magnitude !== magnitude) out[i] = sign | 0x7e00;
    else if (magnitude >= 65520) out[i] = sign | 0x7c00;
    else if (magnitude < 2 ** -14) out[i] = sign | roundHalfEven(magnitude * 2 ** 24);
    else {
      // Re-bias the exponent and round the 13 dropped bits to even; a carry runs into the exponent as it should.
      const m = w & 0x7fffffff;
      out[i] = sign | ((m - 0x38000000 + 0xfff + ((m >>> 13) & 1)) >>> 13);
    }
  }
  return out;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
