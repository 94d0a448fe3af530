/** @file From a path, bytes, a clip or a stream to samples, whatever the format. */
import { type ChannelChoice, EmosllmError } from "@emosllm/interfaces";
import { selectChannel } from "./channels.ts";
import { decodeWithFfmpeg } from "./ffmpeg.ts";
import { decodeFlac } from "./flac.ts";
import { decodeMp3 } from "./mp3.ts";
import { decodeOpus } from "./opus.ts";
import { assertRange, type TimeRange } from "./range.ts";
import { AUDIO_FORMATS, type AudioFormat, id3Length, SNIFF_BYTES, sniffFormat } from "./sniff.ts";
import type { Sound } from "./sound.ts";
import { type AudioSource, type ByteSource, decodeError, isClip, openSource } from "./source.ts";
import { decodeVorbis } from "./vorbis.ts";
import { readWavHeader } from "./wav-header.ts";
import { decodeWav } from "./wav.ts";

/** Settings of {@link decodeAudio}. */
export interface DecodeOptions extends TimeRange {
  /** One channel only; overrides the clip's own. */
  readonly channel?: ChannelChoice;
  /** What errors call bytes or a stream. */
  readonly name?: string;
  /** Longest stream that is read, in bytes (4 GiB). */
  readonly maxBytes?: number;
  /** Most samples over all channels that are decoded (2^29, 2 GiB of memory); small files can hold very much sound. */
  readonly maxSamples?: number;
}

/** A decoder's request: where the bytes are and what is wanted of them. */
export interface DecodeRequest extends TimeRange {
  readonly maxSamples: number;
}

type Decoder = (source: ByteSource, request: DecodeRequest) => Promise<Sound>;

/** Sample rates that speech files have; beyond them a header is taken to be damaged. */
const SAMPLE_RATES = { least: 1000, most: 768_000 } as const;

const DECODERS: { readonly [K in AudioFormat]?: Decoder } = {
  wav: async (source, request) => {
    const header = await readWavHeader(source);
    if ("compressed" in header) return decodeWithFfmpeg(source, "wav", request);
    assertRate(source, header.sampleRate);
    return decodeWav(source, header, request);
  },
  flac: decodeFlac,
  mp3: decodeMp3,
  "ogg-vorbis": decodeVorbis,
  "ogg-opus": decodeOpus,
};

/**
 * Decodes sound: `source` is a path, bytes, an {@link AudioSource} clip (byte range, start, end, channel) or a stream of bytes.
 * `start` and `end` are seconds; WAV reads no byte outside them. A clip's own range and channel apply; without a
 * channel every channel is given.
 * @throws EmosllmError `audio_decode` (damaged, truncated, missing), `audio_unsupported` (no decoder), `audio_empty`, `usage`;
 * the message names the file and the reason.
 * @example
 * const { samples, sampleRate } = await decodeAudio("turn.wav", { start: 1.5, end: 4 });
 */
export async function decodeAudio(source: AudioSource, options: DecodeOptions = {}): Promise<Sound> {
  const clip = isClip(source) ? source : undefined;
  const range = { ...definedRange(clip), ...definedRange(options) };
  await using opened = await openSource(source, options);
  assertRange(opened, range);
  const format = await formatOf(opened);
  const sound = await decodeAs(opened, format, { ...range, maxSamples: options.maxSamples ?? 2 ** 29 });
  assertRate(opened, sound.sampleRate);
  const channel = options.channel ?? clip?.channel;
  if (channel === undefined) return sound;
  return { samples: [selectChannel(sound, channel)], sampleRate: sound.sampleRate };
}

const definedRange = (range: { start?: number | undefined; end?: number | undefined } = {}): TimeRange => ({
  ...(range.start === undefined ? {} : { start: range.start }),
  ...(range.end === undefined ? {} : { end: range.end }),
});

/** By the decoder in this process, or by ffmpeg where there is none for `format` (or its optional package is not installed). */
async function decodeAs(source: ByteSource, format: AudioFormat, request: DecodeRequest): Promise<Sound> {
  const decode = DECODERS[format];
  if (!decode) return decodeWithFfmpeg(source, format, request);
  try {
    return await decode(source, request);
  } catch (error) {
    if (error instanceof EmosllmError) throw error;
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")
      return decodeWithFfmpeg(source, format, request);
    // A damaged file can make a WebAssembly decoder trap; its memory is its own and goes with it.
    throw decodeError(source, `the ${format} decoder failed: ${error instanceof Error ? error.message : error}`, error);
  }
}

async function formatOf(source: ByteSource): Promise<AudioFormat> {
  const head = await source.read(0, SNIFF_BYTES);
  if (head.length === 0) throw new EmosllmError("audio_empty", `${source.name}: is empty (0 bytes)`);
  const tag = id3Length(head);
  const format = sniffFormat(tag > 0 ? await source.read(tag, SNIFF_BYTES) : head);
  if (format) return format;
  const accepted = AUDIO_FORMATS.join(", ");
  throw new EmosllmError(
    "audio_unsupported",
    `${source.name}: its first bytes are of no audio format that is known (known are ${accepted})`,
  );
}

function assertRate(source: ByteSource, rate: number): void {
  if (!(rate >= SAMPLE_RATES.least && rate <= SAMPLE_RATES.most))
    throw decodeError(source, `sample rate ${rate} Hz (read are ${SAMPLE_RATES.least} to ${SAMPLE_RATES.most} Hz)`);
}
