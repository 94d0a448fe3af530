/** @file ITU-T G.711 (1988): A-law and mu-law companding, both directions, as tables over all 256 codes. */

/** Linear value of each A-law code, in 1/32768 of full scale (13-bit values times 8, as G.191's `alaw_expand`). */
export const A_LAW: Int16Array = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = bits & 15;
  const magnitude = exponent === 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
});

/** Linear value of each mu-law code, in 1/32768 of full scale (14-bit values times 4, as G.191's `ulaw_expand`). */
export const MU_LAW: Int16Array = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const magnitude = (((bits & 15) << 3) + 0x84) << ((bits >> 4) & 7);
  return bits & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
});

/** The nearest code for each 16-bit value, found once from the expanding table. */
function compressor(table: Int16Array): Uint8Array {
  const codes = Array.from({ length: 256 }, (_, code) => code).sort((a, b) => table[a]! - table[b]!);
  const nearest = new Uint8Array(65536);
  let i = 0;
  for (let value = -32768; value < 32768; value++) {
    while (i < 255 && Math.abs(table[codes[i + 1]!]! - value) <= Math.abs(table[codes[i]!]! - value)) i++;
    nearest[value + 32768] = codes[i]!;
  }
  return nearest;
}

let compressors: Record<"a-law" | "mu-law", Uint8Array> | undefined;

/** `samples` (full scale ±1) through a G.711 coder and back: 8 bits per sample. */
export function throughG711(samples: Float32Array, law: "a-law" | "mu-law"): Float32Array {
  compressors ??= { "a-law": compressor(A_LAW), "mu-law": compressor(MU_LAW) };
  const codes = compressors[law];
  const expand = law === "a-law" ? A_LAW : MU_LAW;
  return samples.map((value) => {
    const rounded = Math.max(-32768, Math.min(32767, Math.round(value * 32768)));
    return expand[codes[rounded + 32768]!]! / 32768;
  });
}
