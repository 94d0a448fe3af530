/** @file Reads FLAC's bits, most significant first, with the checksums of a frame. RFC 9639, sections 8 and 9. */

/** Thrown where the bytes end; the decoder says which frame that was. */
export class OutOfBits extends Error {}

/** A cursor over `bytes`; plain data, moved by the functions below. */
export interface BitReader {
  readonly bytes: Uint8Array;
  /** Next byte that is not in `window`. */
  next: number;
  /** Unread bits, left-justified in 32. */
  window: number;
  /** How many bits of `window` are unread. */
  held: number;
}

/** A reader that begins at byte `at`. */
export const bitReader = (bytes: Uint8Array, at: number): BitReader => ({ bytes, next: at, window: 0, held: 0 });

/** The byte at which the reader stands, which must be at a byte's border. */
export const byteAt = (reader: BitReader): number => reader.next - (reader.held >> 3);

/** Drops bits up to the next byte's border. */
export function alignToByte(reader: BitReader): void {
  const extra = reader.held & 7;
  reader.window <<= extra;
  reader.held -= extra;
}

function refill(reader: BitReader): void {
  const { bytes } = reader;
  while (reader.held <= 24 && reader.next < bytes.length) {
    reader.window |= bytes[reader.next++]! << (24 - reader.held);
    reader.held += 8;
  }
}

/** The next `count` bits (0 to 25) as an unsigned number. */
function readShort(reader: BitReader, count: number): number {
  if (count === 0) return 0;
  if (reader.held < count) {
    refill(reader);
    if (reader.held < count) throw new OutOfBits();
  }
  const value = reader.window >>> (32 - count);
  reader.window <<= count;
  reader.held -= count;
  return value;
}

/** The next `count` bits (0 to 50) as an unsigned number. */
export const readBits = (reader: BitReader, count: number): number =>
  count <= 25 ? readShort(reader, count) : readShort(reader, count - 25) * 2 ** 25 + readShort(reader, 25);

/** The next `count` bits in two's complement. */
export function readSigned(reader: BitReader, count: number): number {
  if (count === 0) return 0;
  const value = readBits(reader, count);
  return value >= 2 ** (count - 1) ? value - 2 ** count : value;
}

/** Zeros up to the next one bit, which is taken too. */
export function readUnary(reader: BitReader): number {
  let zeros = 0;
  for (;;) {
    if (reader.held === 0) {
      refill(reader);
      if (reader.held === 0) throw new OutOfBits();
    }
    const lead = Math.clz32(reader.window);
    if (lead < reader.held) {
      // Two shifts, because a shift by 32 does nothing.
      reader.window = (reader.window << lead) << 1;
      reader.held -= lead + 1;
      return zeros + lead;
    }
    zeros += reader.held;
    reader.window = 0;
    reader.held = 0;
  }
}

/**
 * `count` Rice-coded numbers (zigzag, `parameter` low bits) into `out` from `from`. Most of a file is read here, so codes that
 * lie within the window are taken from local variables.
 */
export function readRice(reader: BitReader, parameter: number, out: Float64Array, from: number, count: number): void {
  const { bytes } = reader;
  const size = bytes.length;
  let { next, window, held } = reader;
  for (let i = from; i < from + count; i++) {
    while (held <= 24 && next < size) {
      window |= bytes[next++]! << (24 - held);
      held += 8;
    }
    const zeros = Math.clz32(window);
    const length = zeros + 1 + parameter;
    if (length <= held && length < 32) {
      const low = parameter === 0 ? 0 : (window << (zeros + 1)) >>> (32 - parameter);
      const value = (zeros << parameter) | low;
      out[i] = (value >>> 1) ^ -(value & 1);
      window <<= length;
      held -= length;
    } else {
      reader.next = next;
      reader.window = window;
      reader.held = held;
      const value = readUnary(reader) * 2 ** parameter + readBits(reader, parameter);
      out[i] = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      ({ next, window, held } = reader);
    }
  }
  reader.next = next;
  reader.window = window;
  reader.held = held;
}

const table = (polynomial: number, width: number): Uint16Array =>
  Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << (width - 8);
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & (1 << (width - 1)) ? polynomial : 0);
    return crc & ((1 << width) - 1);
  });
const CRC8 = table(0x07, 8);
const CRC16 = table(0x8005, 16);

/** The checksum of a frame's header: polynomial x^8 + x^2 + x + 1. */
export function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) crc = CRC8[crc ^ bytes[i]!]!;
  return crc;
}

/** The checksum of a frame: polynomial x^16 + x^15 + x^2 + 1. */
export function crc16(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ bytes[i]!]!;
  return crc;
}
