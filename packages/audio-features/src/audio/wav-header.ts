/**
 * @file Finds format and samples in a WAV file: RIFF (IBM & Microsoft 1991), WAVE_FORMAT_EXTENSIBLE (Microsoft 2001), RF64/BW64
 * (EBU Tech 3306, ITU-R BS.2088). Sizes that lie (interrupted recordings, pipes) mean "to the end of the file".
 */
import { type ByteSource, decodeError } from "./source.ts";

/** How one sample is stored. */
export type WavSampleFormat = "u8" | "s16" | "s24" | "s32" | "f32" | "f64" | "a-law" | "mu-law";

/** The format of a WAV file and where its samples lie. */
export interface WavHeader {
  readonly format: WavSampleFormat;
  readonly channels: number;
  /** In Hz. */
  readonly sampleRate: number;
  /** Index of the centre channel, where the file says which it is. */
  readonly centre?: number;
  /** Byte offset of the first sample. */
  readonly dataOffset: number;
  /** Whole frames (one sample for each channel) that are really there. */
  readonly frames: number;
  /** Bytes of a frame. */
  readonly frameBytes: number;
}

type WavFormat = Omit<WavHeader, "dataOffset" | "frames">;

/** Compressed encodings that a WAV file may hold and this reader leaves to ffmpeg. */
export interface WavCompressed {
  readonly compressed: string;
}

const FORMATS: Readonly<Record<string, WavSampleFormat>> = {
  "1/1": "u8",
  "1/2": "s16",
  "1/3": "s24",
  "1/4": "s32",
  "3/4": "f32",
  "3/8": "f64",
  "6/1": "a-law",
  "7/1": "mu-law",
};

const COMPRESSED: Readonly<Record<number, string>> = {
  0x02: "Microsoft ADPCM",
  0x11: "IMA ADPCM",
  0x31: "GSM 6.10",
  0x50: "MPEG layer 2",
  0x55: "MP3",
  0xff: "AAC",
};

const EXTENSIBLE = 0xfffe;
/** The last 14 bytes of a sub-format GUID; the first two are the format tag. */
const GUID_TAIL = "000000001000800000aa00389b71";
const FRONT_CENTRE = 0x4;
const UNKNOWN_SIZE = 0xffffffff;
const MAX_CHUNKS = 10_000;

const text = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Reads the chunks up to the samples.
 * @throws EmosllmError `audio_decode` naming the file and what is wrong with it.
 */
export async function readWavHeader(source: ByteSource): Promise<WavHeader | WavCompressed> {
  const window = await windowed(source);
  const head = await window(0, 12);
  if (head.length < 12) throw decodeError(source, `${source.size} bytes are too few for a WAV file`);
  const riffSize = viewOf(head).getUint32(4, true);
  let longData: number | undefined;
  let format: WavFormat | undefined;
  for (let at = 12, count = 0; at + 8 <= source.size; count++) {
    if (count === MAX_CHUNKS) throw decodeError(source, `no data chunk among the first ${MAX_CHUNKS} chunks`);
    const chunk = await window(at, 8);
    const id = text(chunk, 0);
    const size = viewOf(chunk).getUint32(4, true);
    if (id === "ds64") {
      const body = await window(at + 8, 16);
      if (body.length === 16) longData = Number(viewOf(body).getBigUint64(8, true));
    } else if (id === "fmt ") {
      const parsed = parseFormat(source, await window(at + 8, Math.min(size, 40)));
      if ("compressed" in parsed) return parsed;
      format = parsed;
    } else if (id === "data") {
      if (!format) throw decodeError(source, "the data chunk comes before a fmt chunk");
      const present = source.size - at - 8;
      // A recorder that was cut off, or wrote to a pipe, left 0 or the largest number in place of the sizes.
      const unknown = size === UNKNOWN_SIZE || (size === 0 && (riffSize === 0 || riffSize === UNKNOWN_SIZE));
      const stated = size === UNKNOWN_SIZE && longData !== undefined ? longData : unknown ? present : size;
      const frames = Math.floor(Math.min(stated, present) / format.frameBytes);
      return { ...format, dataOffset: at + 8, frames };
    }
    at += 8 + size + (size & 1);
  }
  throw decodeError(source, format ? "no data chunk" : "no fmt chunk");
}

function parseFormat(source: ByteSource, body: Uint8Array): WavFormat | WavCompressed {
  if (body.length < 16) throw decodeError(source, `the fmt chunk has ${body.length} bytes, at least 16 are needed`);
  const view = viewOf(body);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const frameBytes = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  let tag = view.getUint16(0, true);
  let mask = 0;
  if (tag === EXTENSIBLE) {
    if (body.length < 40) throw decodeError(source, `the extensible fmt chunk has ${body.length} bytes, 40 are needed`);
    mask = view.getUint32(20, true);
    tag = view.getUint16(24, true);
    const tail = Buffer.from(body.subarray(26, 40)).toString("hex");
    if (tail !== GUID_TAIL) throw decodeError(source, `unknown extensible sub-format ${tail}`);
  }
  const name = COMPRESSED[tag];
  if (name) return { compressed: name };
  if (channels === 0) throw decodeError(source, "the fmt chunk says 0 channels");
  // The container's width rules: 20-bit samples lie left-justified in 3 bytes, so they scale like 24-bit ones.
  const width = frameBytes > 0 ? frameBytes / channels : Math.ceil(bits / 8);
  const format = FORMATS[`${tag}/${width}`];
  if (!format || bits === 0 || bits > width * 8)
    throw decodeError(
      source,
      `format tag ${tag} with ${bits} bits, ${channels} channels and ${frameBytes} bytes a frame; ` +
        "read are integer of 8, 16, 24, 32 bits, float of 32, 64 bits, A-law and mu-law of 8 bits",
    );
  const centre = mask & FRONT_CENTRE ? bitCount(mask & (FRONT_CENTRE - 1)) : undefined;
  return {
    format,
    channels,
    sampleRate,
    frameBytes: width * channels,
    ...(centre !== undefined && centre < channels ? { centre } : {}),
  };
}

const bitCount = (mask: number): number => mask.toString(2).replaceAll("0", "").length;

/** Reads small pieces through one window, so that a header costs one or two reads of the file. */
async function windowed(source: ByteSource): Promise<(at: number, length: number) => Promise<Uint8Array>> {
  let start = 0;
  let bytes = await source.read(0, 4096);
  return async (at, length) => {
    if (at < start || at + length > start + bytes.length) {
      if (at >= source.size) return new Uint8Array(0);
      start = at;
      bytes = await source.read(at, Math.max(length, 4096));
    }
    return bytes.subarray(at - start, at - start + length);
  };
}
