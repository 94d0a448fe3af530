/** @file Writes PCM and float WAV (RIFF) bytes: IBM & Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991). */
import { EmosllmError } from "@emosllm/interfaces";
import { assertSound, frameCount, type Sound } from "./sound.ts";

/** Sample encodings that {@link encodeWav} writes. */
export const WAV_ENCODINGS = ["pcm8", "pcm16", "pcm24", "pcm32", "float32"] as const;
/** One of {@link WAV_ENCODINGS}. */
export type WavEncoding = (typeof WAV_ENCODINGS)[number];

type WriteSample = (view: DataView, offset: number, value: number) => void;

/** Rounds to the nearest of `2^bits` steps and clips at the ends, as libsndfile does with clipping on. */
const quantise = (value: number, bits: number): number => {
  const scale = 2 ** (bits - 1);
  return Math.max(-scale, Math.min(scale - 1, Math.round(value * scale)));
};

const ENCODERS: { readonly [K in WavEncoding]: { bytes: number; write: WriteSample } } = {
  pcm8: { bytes: 1, write: (view, at, value) => view.setUint8(at, quantise(value, 8) + 128) },
  pcm16: { bytes: 2, write: (view, at, value) => view.setInt16(at, quantise(value, 16), true) },
  pcm24: {
    bytes: 3,
    write: (view, at, value) => {
      const q = quantise(value, 24);
      view.setUint16(at, q & 0xffff, true);
      view.setUint8(at + 2, (q >> 16) & 0xff);
    },
  },
  pcm32: { bytes: 4, write: (view, at, value) => view.setInt32(at, quantise(value, 32), true) },
  float32: { bytes: 4, write: (view, at, value) => view.setFloat32(at, value, true) },
};

const ascii = (view: DataView, at: number, text: string): void => {
  for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i));
};

/**
 * The bytes of a WAV file that holds `sound`. Integer encodings round to nearest and clip at full scale.
 * @throws EmosllmError `audio_empty`, `audio_unsupported` (uneven channels, a size beyond RIFF's 4 GiB).
 */
export function encodeWav(sound: Sound, options: { encoding?: WavEncoding } = {}): Uint8Array {
  const { encoding = "pcm16" } = options;
  assertSound(sound);
  const { bytes, write } = ENCODERS[encoding];
  const channels = sound.samples.length;
  const frames = frameCount(sound);
  const dataBytes = frames * channels * bytes;
  if (dataBytes > 0xffffffff - 64)
    throw new EmosllmError("audio_unsupported", `${dataBytes} bytes of samples do not fit a WAV file (4 GiB)`);
  const out = new Uint8Array(44 + dataBytes + (dataBytes & 1));
  const view = new DataView(out.buffer);
  ascii(view, 0, "RIFF");
  view.setUint32(4, out.length - 8, true);
  ascii(view, 8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, encoding === "float32" ? 3 : 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, Math.round(sound.sampleRate), true);
  view.setUint32(28, Math.round(sound.sampleRate) * channels * bytes, true);
  view.setUint16(32, channels * bytes, true);
  view.setUint16(34, bytes * 8, true);
  ascii(view, 36, "data");
  view.setUint32(40, dataBytes, true);
  let at = 44;
  for (let i = 0; i < frames; i++)
    for (const channel of sound.samples) {
      write(view, at, channel[i]!);
      at += bytes;
    }
  return out;
}
