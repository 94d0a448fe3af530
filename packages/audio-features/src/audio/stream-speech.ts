/** @file A recording of any length as mono speech, block by block, in memory that does not grow with it. */
import { spawn } from "node:child_process";
import { selectChannel } from "./channels.ts";
import { decodeAudio } from "./decode.ts";
import { DEMUXERS, findFfmpeg } from "./ffmpeg.ts";
import { createResampler } from "./resample.ts";
import { type AudioFormat, id3Length, SNIFF_BYTES, sniffFormat } from "./sniff.ts";
import type { Sound } from "./sound.ts";
import { decodeError, openSource } from "./source.ts";
import { readWavHeader, type WavHeader } from "./wav-header.ts";
import { decodeWav } from "./wav.ts";

/** ffmpeg's WAV header and the beginning of the sound. */
const HEADER_BYTES = 65_536;

/** Settings of {@link streamSpeech}. */
export interface StreamSpeechOptions {
  /** In Hz; what speech encoders take by default. */
  readonly sampleRate?: number;
  /** Seconds of a block (10). */
  readonly blockSeconds?: number;
}

/**
 * The sound of `source` as one channel (the mean of all) at `sampleRate` Hz, in blocks of about `blockSeconds`; together they are what
 * `loadSpeech` gives. WAV files are read by position, other files through ffmpeg where there is one; without it, and for bytes in
 * memory, the whole is decoded first.
 * @throws EmosllmError as `decodeAudio`, on the block where the damage is.
 * @example
 * for await (const block of streamSpeech("day.wav", { sampleRate: 16000 })) detector.push(block);
 */
export async function* streamSpeech(
  source: string | Uint8Array,
  { sampleRate = 16_000, blockSeconds = 10 }: StreamSpeechOptions = {},
): AsyncGenerator<Float32Array> {
  let resampler: ReturnType<typeof createResampler> | undefined;
  for await (const sound of soundBlocks(source, blockSeconds)) {
    resampler ??= createResampler(sound.sampleRate, sampleRate);
    const block = resampler.push(selectChannel(sound, "downmix"));
    if (block.length > 0) yield block;
  }
  const rest = resampler?.flush();
  if (rest && rest.length > 0) yield rest;
}

async function* soundBlocks(source: string | Uint8Array, seconds: number): AsyncGenerator<Sound> {
  await using opened = await openSource(source);
  const head = await opened.read(0, SNIFF_BYTES);
  const tag = id3Length(head);
  const format = sniffFormat(tag > 0 ? await opened.read(tag, SNIFF_BYTES) : head);
  const header = format === "wav" ? await readWavHeader(opened) : undefined;
  if (header && !("compressed" in header) && header.frames > 0) {
    const count = Math.max(1, Math.round(seconds * header.sampleRate));
    for (let at = 0; at < header.frames; at += count) {
      const range = { start: at / header.sampleRate, end: Math.min(header.frames, at + count) / header.sampleRate };
      yield await decodeWav(opened, header, { ...range, maxSamples: Infinity });
    }
    return;
  }
  const program = opened.path === undefined ? undefined : await findFfmpeg();
  if (program === undefined || format === undefined) yield* cut(await decodeAudio(source), seconds);
  else yield* ffmpegBlocks(program, opened.path as string, format, seconds);
}

function* cut({ samples, sampleRate, ...rest }: Sound, seconds: number): Generator<Sound> {
  const count = Math.max(1, Math.round(seconds * sampleRate));
  for (let at = 0; at < samples[0]!.length; at += count)
    yield { ...rest, sampleRate, samples: samples.map((channel) => channel.subarray(at, at + count)) };
}

/** Runs ffmpeg into a pipe, as a WAV file of floats without an end; the pipe's own limit keeps it from running ahead. */
async function* ffmpegBlocks(
  program: string,
  path: string,
  format: AudioFormat,
  seconds: number,
): AsyncGenerator<Sound> {
  const input = ["-protocol_whitelist", "file,pipe", "-f", DEMUXERS[format], "-i", `file:${path}`];
  const args = ["-v", "error", "-nostdin", ...input, "-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (part: Buffer) => (said = (said + part.toString()).slice(0, 2000)));
  const ended = new Promise<number | null>((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("close", resolve);
  });
  let parts: Buffer[] = [];
  let held = 0;
  let header: WavHeader | undefined;
  let want = HEADER_BYTES;
  const take = async function* (last: boolean): AsyncGenerator<Sound> {
    await using bytes = await openSource(new Uint8Array(Buffer.concat(parts)), { name: path });
    if (!header) {
      const read = await readWavHeader(bytes);
      if ("compressed" in read) throw decodeError({ name: path }, "internal: ffmpeg gave compressed sound");
      header = read;
      want = Math.max(1, Math.round(seconds * header.sampleRate)) * header.frameBytes;
    }
    const { dataOffset, frameBytes, sampleRate } = header;
    const frames = Math.floor((bytes.size - dataOffset) / frameBytes);
    if (frames > 0 && (last || frames * frameBytes >= want))
      yield await decodeWav(bytes, { ...header, frames }, { end: frames / sampleRate, maxSamples: Infinity });
    else return;
    header = { ...header, dataOffset: 0 };
    parts = [Buffer.from(await bytes.read(dataOffset + frames * frameBytes, frameBytes))];
    held = parts[0]!.length;
  };
  try {
    for await (const part of child.stdout as AsyncIterable<Buffer>) {
      parts.push(part);
      held += part.length;
      if (held >= want) yield* take(false);
    }
    if (held > 0) yield* take(true);
    const code = await ended;
    const reason = said.replaceAll(`file:${path}`, path).trim().split("\n").slice(0, 2).join("; ");
    if (code !== 0) throw decodeError({ name: path }, `ffmpeg cannot decode it: ${reason || `exit code ${code}`}`);
  } finally {
    child.kill("SIGKILL");
  }
}
