/**
 * @file Block quantisation as onnxruntime's `MatMulNBits` reads it, byte for byte what onnxruntime's own quantiser makes
 * (`MlasQuantizeBlockwise`, symmetric): per block the value of largest magnitude becomes -2^(bits-1) times the scale,
 * `q = floor(value / scale + 2^(bits-1) + 1/2)`, at most 2^bits - 1; 4-bit values two to a byte, low half first.
 *
 * These functions run in worker threads from their own text (see `pack-worker.ts`): each may use only its arguments and
 * what the language has.
 */

/** How a matrix is cut into blocks. */
export interface BlockShape {
  /** 4 or 8. */
  readonly bits: number;
  /** Values that share a scale. */
  readonly blockSize: number;
}

/**
 * Packs rows, blocks along a row.
 *
 * @param values `[rows, columns]`
 * @param packed `[rows, ceil(columns / blockSize), blockSize * bits / 8]`, from byte `packedAt`
 * @param scales `[rows, ceil(columns / blockSize)]`, from element `scalesAt`
 * @returns false where a value is not finite.
 */
export function packRows(
  values: Float32Array,
  rows: number,
  columns: number,
  shape: BlockShape,
  packed: Uint8Array,
  packedAt: number,
  scales: Float32Array,
  scalesAt: number,
): boolean {
  const { bits, blockSize } = shape;
  const blob = (blockSize * bits) / 8;
  const zero = bits === 8 ? 128 : 8;
  const most = 2 * zero - 1;
  const fround = Math.fround;
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  const block = new Uint8Array(blockSize);
  let to = packedAt;
  let scaleTo = scalesAt;
  for (let row = 0; row < rows; row++) {
    const rowEnd = (row + 1) * columns;
    for (let at = row * columns; at < rowEnd; at += blockSize) {
      const end = at + blockSize < rowEnd ? at + blockSize : rowEnd;
      // The bits turned by one order floats by magnitude, at equal magnitude the negative one above.
      let key = 0;
      for (let i = at; i < end; i++) {
        const turned = ((words[i]! << 1) | (words[i]! >>> 31)) >>> 0;
        if (turned > key) key = turned;
      }
      if (key >= 0xff000000) return false;
      word[0] = (key >>> 1) | (key << 31);
      const scale = fround(float[0]! / -zero);
      scales[scaleTo++] = scale;
      const inverse = scale === 0 ? 0 : fround(1 / scale);
      const out = bits === 8 ? packed : block;
      const base = bits === 8 ? to - at : -at;
      for (let i = at; i < end; i++) {
        const q = (fround(fround(values[i]! * inverse) + zero) + 0.5) | 0;
        out[base + i] = q > most ? most : q;
      }
      for (let i = end; i < at + blockSize; i++) out[base + i] = zero;
      if (bits === 4) for (let b = 0; b < blob; b++) packed[to + b] = block[2 * b]! | (block[2 * b + 1]! << 4);
      to += blob;
    }
  }
  return true;
}

/**
 * Packs one block of every column: at most `blockSize` rows, blocks along a column.
 *
 * @param values `[rows, columns]`
 * @param packed `[columns, ..., blockSize * bits / 8]`: column `c` goes to byte `packedAt + c * packedStep`
 * @param scales column `c` goes to element `scalesAt + c * scalesStep`
 * @returns false where a value is not finite.
 */
export function packColumns(
  values: Float32Array,
  rows: number,
  columns: number,
  shape: BlockShape,
  packed: Uint8Array,
  packedAt: number,
  packedStep: number,
  scales: Float32Array,
  scalesAt: number,
  scalesStep: number,
): boolean {
  const { bits, blockSize } = shape;
  const zero = bits === 8 ? 128 : 8;
  const most = 2 * zero - 1;
  const fround = Math.fround;
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const width = 16; // columns at a time: their places in `packed` stay in the cache while the rows pass by
  const keys = new Uint32Array(width);
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  const inverse = new Float32Array(width);
  for (let first = 0; first < columns; first += width) {
    const here = columns - first < width ? columns - first : width;
    keys.fill(0);
    for (let row = 0; row < rows; row++) {
      const at = row * columns + first;
      for (let c = 0; c < here; c++) {
        const turned = ((words[at + c]! << 1) | (words[at + c]! >>> 31)) >>> 0;
        if (turned > keys[c]!) keys[c] = turned;
      }
    }
    for (let c = 0; c < here; c++) {
      const key = keys[c]!;
      if (key >= 0xff000000) return false;
      word[0] = (key >>> 1) | (key << 31);
      const scale = fround(float[0]! / -zero);
      scales[scalesAt + (first + c) * scalesStep] = scale;
      inverse[c] = scale === 0 ? 0 : 1 / scale;
    }
    const base = packedAt + first * packedStep;
    for (let row = 0; row < blockSize; row++) {
      const at = row * columns + first;
      for (let c = 0; c < here; c++) {
        let q = zero;
        if (row < rows) {
          q = (fround(fround(values[at + c]! * inverse[c]!) + zero) + 0.5) | 0;
          if (q > most) q = most;
        }
        if (bits === 8) packed[base + c * packedStep + row] = q;
        else if (row & 1) packed[base + c * packedStep + (row >> 1)]! |= q << 4;
        else packed[base + c * packedStep + (row >> 1)] = q;
      }
    }
  }
  return true;
}
