/** @file Half precision as bits: JavaScript on Node 20 and TensorFlow.js have no such type. */

const view = new DataView(new ArrayBuffer(4));

/** f16 bits -> number. */
export function fromHalf(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Number -> f16 bits, rounded to nearest, ties to even (IEEE 754). */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // The step between neighbours at this size; below 2^-14 it stays 2^-24.
  const exponent = Math.max(size === 0 ? -14 : Math.floor(Math.log2(size)), -14);
  const steps = roundHalfEven(size / 2 ** (exponent - 10));
  // A carry out of the fraction lands in the exponent, where it belongs.
  return sign | (exponent === -14 && steps < 1024 ? steps : ((exponent + 15) << 10) + (steps - 1024));
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** bf16 bits -> number. */
export function fromBfloat(bits: number): number {
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}
