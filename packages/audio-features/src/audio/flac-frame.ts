/** @file One FLAC frame: its header, its subframes and the channels made of them. RFC 9639, section 9. */
import {
  alignToByte,
  bitReader,
  type BitReader,
  byteAt,
  crc16,
  crc8,
  readBits,
  readRice,
  readSigned,
} from "./flac-bits.ts";

/** What is wrong with a frame; the decoder adds file and place. */
export class FlacFrameError extends Error {}

/** What STREAMINFO says that frames may leave out. */
export interface FlacStream {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bits: number;
  /** Samples of each frame in streams of a fixed block size. */
  readonly blockSize: number;
}

/** A frame's header. */
export interface FlacFrameHeader {
  /** Index of the frame's first sample in the stream. */
  readonly first: number;
  readonly frames: number;
  readonly assignment: number;
  readonly bits: number;
  /** Byte after the header. */
  readonly end: number;
}

const BITS = [0, 8, 12, -1, 16, 20, 24, 32];
const LEFT_SIDE = 8;
const SIDE_RIGHT = 9;
const MID_SIDE = 10;

/** Reads the header at byte `at`, or gives undefined where there is none (no sync code, reserved values, wrong checksum). */
export function readFrameHeader(bytes: Uint8Array, at: number, stream: FlacStream): FlacFrameHeader | undefined {
  if (at + 6 > bytes.length || bytes[at] !== 0xff || (bytes[at + 1]! & 0xfe) !== 0xf8) return undefined;
  const variable = bytes[at + 1]! & 1;
  const sizeCode = bytes[at + 2]! >> 4;
  const rateCode = bytes[at + 2]! & 15;
  const assignment = bytes[at + 3]! >> 4;
  const bitsCode = (bytes[at + 3]! >> 1) & 7;
  if (sizeCode === 0 || rateCode === 15 || assignment > MID_SIDE || bitsCode === 3 || bytes[at + 3]! & 1)
    return undefined;
  const coded = readCodedNumber(bytes, at + 4);
  if (!coded) return undefined;
  let next = coded.end;
  let frames = sizeCode === 1 ? 192 : sizeCode <= 5 ? 576 << (sizeCode - 2) : 256 << (sizeCode - 8);
  if (sizeCode === 6) frames = (bytes[next++] ?? 0) + 1;
  if (sizeCode === 7) frames = (((bytes[next++] ?? 0) << 8) | (bytes[next++] ?? 0)) + 1;
  if (rateCode === 12) next += 1;
  if (rateCode === 13 || rateCode === 14) next += 2;
  if (next >= bytes.length || crc8(bytes, at, next) !== bytes[next]) return undefined;
  return {
    first: variable ? coded.value : coded.value * stream.blockSize,
    frames,
    assignment,
    bits: bitsCode === 0 ? stream.bits : BITS[bitsCode]!,
    end: next + 1,
  };
}

/** The frame or sample number, coded like UTF-8 but up to 36 bits. */
function readCodedNumber(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  const first = bytes[at]!;
  if (first < 0x80) return { value: first, end: at + 1 };
  const ones = Math.clz32(~(first << 24));
  if (ones < 2 || ones > 7 || at + ones > bytes.length) return undefined;
  let value = ones === 7 ? 0 : first & (0x7f >> ones);
  for (let i = 1; i < ones; i++) {
    if ((bytes[at + i]! & 0xc0) !== 0x80) return undefined;
    value = value * 64 + (bytes[at + i]! & 0x3f);
  }
  return { value, end: at + ones };
}

/**
 * Decodes the frame whose header begins at `at`: one array of integers per channel, and the byte after the frame.
 * @throws FlacFrameError, OutOfBits
 */
export function readFrame(
  bytes: Uint8Array,
  at: number,
  header: FlacFrameHeader,
  stream: FlacStream,
): { channels: Float64Array[]; end: number } {
  const count = header.assignment < LEFT_SIDE ? header.assignment + 1 : 2;
  if (count !== stream.channels) throw new FlacFrameError(`${count} channels in a stream of ${stream.channels}`);
  if (header.bits !== stream.bits) throw new FlacFrameError(`${header.bits} bits in a stream of ${stream.bits}`);
  const reader = bitReader(bytes, header.end);
  const channels: Float64Array[] = [];
  for (let c = 0; c < count; c++) {
    const isSide = header.assignment === SIDE_RIGHT ? c === 0 : header.assignment >= LEFT_SIDE && c === 1;
    channels.push(readSubframe(reader, header.frames, header.bits + (isSide ? 1 : 0)));
  }
  alignToByte(reader);
  const end = byteAt(reader);
  if (readBits(reader, 16) !== crc16(bytes, at, end)) throw new FlacFrameError("wrong checksum");
  decorrelate(channels, header.assignment);
  return { channels, end: end + 2 };
}

function decorrelate([a, b]: Float64Array[], assignment: number): void {
  if (!a || !b) return;
  if (assignment === LEFT_SIDE) for (let i = 0; i < a.length; i++) b[i] = a[i]! - b[i]!;
  else if (assignment === SIDE_RIGHT) for (let i = 0; i < a.length; i++) a[i] = a[i]! + b[i]!;
  else if (assignment === MID_SIDE)
    for (let i = 0; i < a.length; i++) {
      const side = b[i]!;
      const mid = 2 * a[i]! + Math.abs(side % 2);
      a[i] = (mid + side) / 2;
      b[i] = (mid - side) / 2;
    }
}

/** Coefficients of the fixed predictors of order 0 to 4. */
const FIXED: readonly (readonly number[])[] = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

function readSubframe(reader: BitReader, frames: number, bits: number): Float64Array {
  if (readBits(reader, 1)) throw new FlacFrameError("a subframe begins with a reserved bit");
  const type = readBits(reader, 6);
  let wasted = 0;
  if (readBits(reader, 1))
    do wasted++;
    while (!readBits(reader, 1));
  const width = bits - wasted;
  if (width < 1) throw new FlacFrameError(`${wasted} of ${bits} bits wasted`);
  const out = new Float64Array(frames);
  if (type === 0) out.fill(readSigned(reader, width));
  else if (type === 1) for (let i = 0; i < frames; i++) out[i] = readSigned(reader, width);
  else if (type >= 8 && type <= 12) {
    const order = type - 8;
    readWarmUp(reader, out, order, width);
    readResidual(reader, out, order);
    predict(out, FIXED[order]!, 0);
  } else if (type >= 32) {
    const order = type - 31;
    readWarmUp(reader, out, order, width);
    const precision = readBits(reader, 4) + 1;
    if (precision === 16) throw new FlacFrameError("reserved coefficient precision");
    const shift = readSigned(reader, 5);
    if (shift < 0) throw new FlacFrameError(`negative shift ${shift}`);
    const coefficients = Array.from({ length: order }, () => readSigned(reader, precision));
    readResidual(reader, out, order);
    predict(out, coefficients, shift);
  } else throw new FlacFrameError(`reserved subframe type ${type}`);
  if (wasted) for (let i = 0; i < frames; i++) out[i] = out[i]! * 2 ** wasted;
  return out;
}

function readWarmUp(reader: BitReader, out: Float64Array, order: number, width: number): void {
  if (order > out.length) throw new FlacFrameError(`order ${order} in a frame of ${out.length} samples`);
  for (let i = 0; i < order; i++) out[i] = readSigned(reader, width);
}

function readResidual(reader: BitReader, out: Float64Array, order: number): void {
  const method = readBits(reader, 2);
  if (method > 1) throw new FlacFrameError(`reserved residual coding ${method}`);
  const parameterBits = method === 0 ? 4 : 5;
  const escape = method === 0 ? 15 : 31;
  const partitions = 2 ** readBits(reader, 4);
  const size = out.length / partitions;
  if (!Number.isInteger(size) || size < order)
    throw new FlacFrameError(`${partitions} partitions of ${out.length} samples`);
  for (let p = 0; p < partitions; p++) {
    const from = p === 0 ? order : p * size;
    const count = (p + 1) * size - from;
    const parameter = readBits(reader, parameterBits);
    if (parameter !== escape) readRice(reader, parameter, out, from, count);
    else {
      const width = readBits(reader, 5);
      for (let i = from; i < from + count; i++) out[i] = readSigned(reader, width);
    }
  }
}

/** Adds the prediction to each residual; sums of at most 53 bits are exact in doubles. */
function predict(out: Float64Array, coefficients: readonly number[], shift: number): void {
  const order = coefficients.length;
  const factors = Float64Array.from(coefficients);
  const scale = 2 ** -shift;
  for (let i = order; i < out.length; i++) {
    let sum = 0;
    for (let j = 0, at = i - 1; j < order; j++, at--) sum += factors[j]! * out[at]!;
    out[i] = out[i]! + Math.floor(sum * scale);
  }
}
