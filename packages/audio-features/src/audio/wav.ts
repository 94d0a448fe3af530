/** @file Decodes WAV, reading only the bytes of the wanted time range. Integers scale by 2^(bits-1), as libsndfile does. */
import { A_LAW, MU_LAW } from "./g711.ts";
import { frameRange, type TimeRange } from "./range.ts";
import type { Sound } from "./sound.ts";
import { type ByteSource, decodeError } from "./source.ts";
import type { WavHeader, WavSampleFormat } from "./wav-header.ts";

/** Fills `out` with one channel: the sample at byte `first`, then every `step` bytes. */
type ReadChannel = (bytes: Uint8Array, first: number, step: number, out: Float32Array) => void;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const byTable =
  (table: Int16Array): ReadChannel =>
  (bytes, first, step, out) => {
    for (let i = 0, at = first; i < out.length; i++, at += step) out[i] = table[bytes[at]!]! / 32768;
  };

const READERS: { readonly [K in WavSampleFormat]: ReadChannel } = {
  u8: (bytes, first, step, out) => {
    for (let i = 0, at = first; i < out.length; i++, at += step) out[i] = (bytes[at]! - 128) / 128;
  },
  s16: (bytes, first, step, out) => {
    if (LITTLE_ENDIAN && bytes.byteOffset % 2 === 0) {
      const values = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
      for (let i = 0, at = first / 2; i < out.length; i++, at += step / 2) out[i] = values[at]! / 32768;
      return;
    }
    for (let i = 0, at = first; i < out.length; i++, at += step)
      out[i] = (((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16) / 32768;
  },
  s24: (bytes, first, step, out) => {
    for (let i = 0, at = first; i < out.length; i++, at += step)
      out[i] = ((bytes[at]! << 8) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 24)) / 2147483648;
  },
  s32: (bytes, first, step, out) => {
    const view = viewOf(bytes);
    for (let i = 0, at = first; i < out.length; i++, at += step) out[i] = view.getInt32(at, true) / 2147483648;
  },
  f32: (bytes, first, step, out) => {
    const view = viewOf(bytes);
    for (let i = 0, at = first; i < out.length; i++, at += step) out[i] = view.getFloat32(at, true);
  },
  f64: (bytes, first, step, out) => {
    const view = viewOf(bytes);
    for (let i = 0, at = first; i < out.length; i++, at += step) out[i] = view.getFloat64(at, true);
  },
  "a-law": byTable(A_LAW),
  "mu-law": byTable(MU_LAW),
};

/** Frames read at a time: bounds the memory beside the result. */
const BLOCK_FRAMES = 1 << 18;

/** The samples of `range` (seconds) of a WAV file. */
export async function decodeWav(
  source: ByteSource,
  header: WavHeader,
  range: TimeRange & { maxSamples: number },
): Promise<Sound> {
  const [from, to] = frameRange(source, range, header.frames, header.sampleRate);
  const { channels, frameBytes, sampleRate } = header;
  if ((to - from) * channels > range.maxSamples)
    throw decodeError(source, `${to - from} frames of ${channels} channels exceed maxSamples = ${range.maxSamples}`);
  const samples = Array.from({ length: channels }, () => new Float32Array(to - from));
  const read = READERS[header.format];
  for (let at = from; at < to; at += BLOCK_FRAMES) {
    const count = Math.min(BLOCK_FRAMES, to - at);
    const bytes = await source.read(header.dataOffset + at * frameBytes, count * frameBytes);
    if (bytes.length < count * frameBytes) throw decodeError(source, "the file became shorter while it was read");
    for (let c = 0; c < channels; c++)
      read(bytes, c * (frameBytes / channels), frameBytes, samples[c]!.subarray(at - from, at - from + count));
  }
  return { samples, sampleRate, ...(header.centre === undefined ? {} : { centre: header.centre }) };
}
