/** @file Decodes FLAC (RFC 9639) without loss; a time range is found by bisection, every frame's checksum is verified. */
import { EmosllmError } from "@emosllm/interfaces";
import { OutOfBits } from "./flac-bits.ts";
import { FlacFrameError, type FlacStream, readFrame, readFrameHeader } from "./flac-frame.ts";
import { frameRange, type TimeRange } from "./range.ts";
import { id3Length } from "./sniff.ts";
import type { Sound } from "./sound.ts";
import { type ByteSource, decodeError } from "./source.ts";

interface FlacHeader extends FlacStream {
  /** 0 where the encoder did not know. */
  readonly totalFrames: number;
  /** Byte of the first frame. */
  readonly firstFrame: number;
}

const STREAMINFO_BYTES = 34;

function readHeader(source: ByteSource, bytes: Uint8Array): FlacHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = id3Length(bytes) + 4;
  let info: number | undefined;
  for (let last = false; !last;) {
    if (at + 4 > bytes.length) throw decodeError(source, "ends within its metadata");
    last = (bytes[at]! & 0x80) !== 0;
    const type = bytes[at]! & 0x7f;
    const size = view.getUint32(at) & 0xffffff;
    if (type === 0 && size >= STREAMINFO_BYTES) info = at + 4;
    at += 4 + size;
  }
  if (info === undefined || info + STREAMINFO_BYTES > bytes.length) throw decodeError(source, "no STREAMINFO block");
  const packed = view.getUint32(info + 10);
  return {
    blockSize: view.getUint16(info),
    sampleRate: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    bits: ((packed >>> 4) & 31) + 1,
    totalFrames: (packed & 15) * 2 ** 32 + view.getUint32(info + 14),
    firstFrame: at,
  };
}

/** The byte of the last frame found that begins at or before `target`; frames are searched by their sync code and checksum. */
function seek(bytes: Uint8Array, header: FlacHeader, target: number): number {
  let low = header.firstFrame;
  let high = bytes.length;
  while (high - low > 65_536) {
    const middle = Math.floor((low + high) / 2);
    let at = middle;
    let found = readFrameHeader(bytes, at, header);
    while (!found && ++at < high) found = readFrameHeader(bytes, at, header);
    if (!found || found.first > target) high = middle;
    else low = at;
  }
  return low;
}

/**
 * The samples of `range` (seconds) of a FLAC file.
 * @throws EmosllmError `audio_decode` naming the file, the sample and what is wrong there.
 */
export async function decodeFlac(source: ByteSource, range: TimeRange & { maxSamples: number }): Promise<Sound> {
  const bytes = await source.read(0, source.size);
  const header = readHeader(source, bytes);
  const from = Math.round((range.start ?? 0) * header.sampleRate);
  const to = Math.min(Math.round((range.end ?? Infinity) * header.sampleRate), header.totalFrames || Infinity);
  try {
    return collect(source, bytes, header, range, seek(bytes, header, from), to);
  } catch (error) {
    // A sync code may turn up by chance within a frame, once in some hundred million bytes; then the way is from the beginning.
    if (from === 0 || (error instanceof EmosllmError && error.code === "audio_empty")) throw error;
    return collect(source, bytes, header, range, header.firstFrame, to);
  }
}

function collect(
  source: ByteSource,
  bytes: Uint8Array,
  header: FlacHeader,
  range: TimeRange & { maxSamples: number },
  begin: number,
  to: number,
): Sound {
  const blocks: Float32Array[][] = [];
  const scale = 2 ** (header.bits - 1);
  let first: number | undefined;
  let next = 0;
  let total = 0;
  for (let at = begin; at < bytes.length && next < to;) {
    const frame = readFrameHeader(bytes, at, header);
    // Some writers append tags; what follows the last sample is nobody's business.
    if (!frame && header.totalFrames === 0 && first !== undefined) break;
    const place = `at byte ${at}, sample ${next}`;
    if (!frame) throw decodeError(source, `no FLAC frame ${place}`);
    if (first !== undefined && frame.first !== next)
      throw decodeError(source, `the frame ${place} says that it begins at sample ${frame.first}`);
    first ??= frame.first;
    total += frame.frames * header.channels;
    if (total > range.maxSamples) throw decodeError(source, `more than maxSamples = ${range.maxSamples} samples`);
    try {
      const { channels, end } = readFrame(bytes, at, frame, header);
      blocks.push(channels.map((channel) => scaled(channel, scale)));
      at = end;
    } catch (error) {
      if (error instanceof OutOfBits) throw decodeError(source, `ends within the frame ${place}`, error);
      if (error instanceof FlacFrameError) throw decodeError(source, `${error.message} in the frame ${place}`, error);
      throw error;
    }
    next = frame.first + frame.frames;
  }
  if (next < to && next < header.totalFrames)
    throw decodeError(source, `ends at sample ${next} of ${header.totalFrames}`);
  const [start, end] = frameRange(source, range, header.totalFrames || next, header.sampleRate);
  return { samples: cut(blocks, header, start - (first ?? 0), end - start), sampleRate: header.sampleRate };
}

function scaled(channel: Float64Array, scale: number): Float32Array {
  const out = new Float32Array(channel.length);
  for (let i = 0; i < out.length; i++) out[i] = channel[i]! / scale;
  return out;
}

function cut(blocks: readonly Float32Array[][], header: FlacHeader, skip: number, count: number): Float32Array[] {
  return Array.from({ length: header.channels }, (_, c) => {
    const out = new Float32Array(count);
    let at = -skip;
    for (const block of blocks) {
      const part = block[c]!.subarray(Math.max(0, -at), Math.max(0, count - at));
      if (part.length > 0) out.set(part, Math.max(0, at));
      at += block[c]!.length;
    }
    return out;
  });
}
