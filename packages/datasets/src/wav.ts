/** @file The headers of sound files: length and channels without decoding. WAV fully, ISO media (mp4, m4a) by its boxes. */

/** What a header says. */
export interface SoundHeader {
  format: "wav" | "mp4";
  sampleRate: number;
  channels: number;
  /** Sample frames; for mp4 of the sound track's time scale. */
  frames: number;
  seconds: number;
  /** WAV only: where the samples lie and how they are coded. */
  data?: { offset: number; bytes: number; bitsPerSample: number; coding: number };
}

/** Reads `length` bytes at `offset`; fewer only at the end. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** A header that cannot be right. */
export class HeaderError extends Error {
  override readonly name = "HeaderError";
}

/** The header of a WAV or ISO media file; undefined for other formats. @throws HeaderError when it is broken or cut short. */
export async function soundHeader(readAt: ReadAt, size: number): Promise<SoundHeader | undefined> {
  const head = Buffer.from(await readAt(0, 12));
  if (
    head.length >= 12 &&
    ["RIFF", "RF64"].includes(head.toString("latin1", 0, 4)) &&
    head.toString("latin1", 8, 12) === "WAVE"
  )
    return wavHeader(readAt, size);
  if (head.toString("latin1", 4, 8) === "ftyp") return mp4Header(readAt, size);
  return undefined;
}

async function wavHeader(readAt: ReadAt, size: number): Promise<SoundHeader> {
  let format: { coding: number; channels: number; sampleRate: number; blockAlign: number; bits: number } | undefined;
  for (let at = 12; at + 8 <= size;) {
    const chunk = Buffer.from(await readAt(at, 8));
    const id = chunk.toString("latin1", 0, 4);
    const length = chunk.readUInt32LE(4);
    if (id === "fmt ") {
      const b = Buffer.from(await readAt(at + 8, Math.min(length, 40)));
      if (b.length < 16) throw new HeaderError("the format chunk is cut short");
      const coding = b.readUInt16LE(0) === 0xfffe && b.length >= 26 ? b.readUInt16LE(24) : b.readUInt16LE(0);
      format = {
        coding,
        channels: b.readUInt16LE(2),
        sampleRate: b.readUInt32LE(4),
        blockAlign: b.readUInt16LE(12),
        bits: b.readUInt16LE(14),
      };
    }
    if (id === "data") {
      if (!format) throw new HeaderError("samples before the format chunk");
      const { coding, channels, sampleRate, blockAlign, bits } = format;
      if (channels === 0 || sampleRate === 0 || blockAlign === 0)
        throw new HeaderError(
          `impossible format: ${channels} channels, ${sampleRate} Hz, ${blockAlign} bytes per frame`,
        );
      // Writers that stream leave the length at 0 or at its maximum: the file's end counts then.
      const open = length === 0xffffffff || (length === 0 && size > at + 8 + 4096);
      const bytes = open ? size - at - 8 : length;
      if (at + 8 + bytes > size + 1)
        throw new HeaderError(`the header promises ${bytes} bytes of samples, the file has ${size - at - 8}`);
      const frames = Math.floor(bytes / blockAlign);
      const data = { offset: at + 8, bytes, bitsPerSample: bits, coding };
      return { format: "wav", sampleRate, channels, frames, seconds: frames / sampleRate, data };
    }
    at += 8 + length + (length % 2);
  }
  throw new HeaderError("no samples: the data chunk is missing");
}

interface Box {
  type: string;
  from: number;
  to: number;
}

async function* boxes(readAt: ReadAt, from: number, to: number): AsyncGenerator<Box> {
  for (let at = from; at + 8 <= to;) {
    const head = Buffer.from(await readAt(at, 16));
    if (head.length < 8) return;
    let length = head.readUInt32BE(0);
    let header = 8;
    if (length === 1 && head.length >= 16) {
      length = Number(head.readBigUInt64BE(8));
      header = 16;
    } else if (length === 0) length = to - at;
    if (length < header) throw new HeaderError(`a box of ${length} bytes at ${at}`);
    if (at + length > to) throw new HeaderError(`box ${head.toString("latin1", 4, 8)} at ${at} goes past the end`);
    yield { type: head.toString("latin1", 4, 8), from: at + header, to: at + length };
    at += length;
  }
}

async function find(readAt: ReadAt, within: Box, path: readonly string[]): Promise<Box | undefined> {
  if (path.length === 0) return within;
  for await (const box of boxes(readAt, within.from, within.to))
    if (box.type === path[0]) return find(readAt, box, path.slice(1));
  return undefined;
}

async function mp4Header(readAt: ReadAt, size: number): Promise<SoundHeader> {
  const movie = await find(readAt, { type: "", from: 0, to: size }, ["moov"]);
  if (!movie) throw new HeaderError("no moov box");
  for await (const track of boxes(readAt, movie.from, movie.to)) {
    if (track.type !== "trak") continue;
    const handler = await find(readAt, track, ["mdia", "hdlr"]);
    if (!handler || Buffer.from(await readAt(handler.from + 8, 4)).toString("latin1") !== "soun") continue;
    const header = await find(readAt, track, ["mdia", "mdhd"]);
    const description = await find(readAt, track, ["mdia", "minf", "stbl", "stsd"]);
    if (!header || !description) throw new HeaderError("the sound track lacks its header");
    const h = Buffer.from(await readAt(header.from, 32));
    const long = h[0] === 1;
    if (h.length < (long ? 32 : 20)) throw new HeaderError("the sound track's header is cut short");
    const scale = h.readUInt32BE(long ? 20 : 12);
    const frames = long ? Number(h.readBigUInt64BE(24)) : h.readUInt32BE(16);
    // version, flags, entry count (8 bytes), then size, type, reserved, index (16), version fields (8), channel count
    const entry = Buffer.from(await readAt(description.from, 44));
    if (entry.length < 44 || scale === 0) throw new HeaderError("the sound track's description is cut short");
    return {
      format: "mp4",
      sampleRate: entry.readUInt16BE(40),
      channels: entry.readUInt16BE(32),
      frames,
      seconds: frames / scale,
    };
  }
  throw new HeaderError("no sound track");
}

/** PCM and float samples mixed to one channel; undefined for codings that need a decoder. */
export function wavSamples(header: SoundHeader, bytes: Uint8Array): Float32Array | undefined {
  const { data, channels } = header;
  if (!data) return undefined;
  const reader = READERS[`${data.coding}:${data.bitsPerSample}`];
  if (!reader) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = data.bitsPerSample / 8;
  const frames = Math.min(header.frames, Math.floor(buffer.length / (width * channels)));
  const out = new Float32Array(frames);
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += reader(buffer, (i * channels + c) * width);
    out[i] = sum / channels;
  }
  return out;
}

const READERS: Readonly<Record<string, (b: Buffer, at: number) => number>> = {
  "1:8": (b, at) => ((b[at] ?? 128) - 128) / 128,
  "1:16": (b, at) => b.readInt16LE(at) / 32768,
  "1:24": (b, at) => b.readIntLE(at, 3) / 8388608,
  "1:32": (b, at) => b.readInt32LE(at) / 2147483648,
  "3:32": (b, at) => b.readFloatLE(at),
  "3:64": (b, at) => b.readDoubleLE(at),
};
