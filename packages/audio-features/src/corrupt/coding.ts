/** @file Telephone lines, low-bit-rate coding and lost packets. */
import { spawn } from "node:child_process";
import { EmosllmError } from "@emosllm/interfaces";
import { decodeAudio } from "../audio/decode.ts";
import { encodeWav } from "../audio/encode-wav.ts";
import { findFfmpeg } from "../audio/ffmpeg.ts";
import { throughG711 } from "../audio/g711.ts";
import { resample } from "../audio/resample.ts";
import { limitBand } from "./band.ts";
import type { Random } from "./random.ts";

const TELEPHONE_RATE = 8000;

const fitted = (samples: Float32Array, length: number): Float32Array => {
  if (samples.length === length) return samples;
  const out = new Float32Array(length);
  out.set(samples.subarray(0, length));
  return out;
};

/** A telephone line: 300 to 3400 Hz at 8 kHz through G.711 (`a-law` in Europe, `mu-law` in North America and Japan), 64 kbit/s. */
export function telephone(samples: Float32Array, sampleRate: number, law: "a-law" | "mu-law" = "a-law"): Float32Array {
  const narrow = limitBand(resample(samples, sampleRate, TELEPHONE_RATE), TELEPHONE_RATE, { low: 300, high: 3400 });
  return fitted(resample(throughG711(narrow, law), TELEPHONE_RATE, sampleRate), samples.length);
}

/**
 * Adaptive differential coding at 8 kHz with `bits` for each sample (2: 16, 3: 24, 4: 32 kbit/s): the error of the previous
 * decoded sample as a prediction, in steps that grow by Jayant's multipliers (1973). Needs no codec and sounds like one.
 */
export function adpcm(samples: Float32Array, sampleRate: number, bits: 2 | 3 | 4 = 3): Float32Array {
  const narrow = resample(samples, sampleRate, TELEPHONE_RATE);
  const levels = 2 ** (bits - 1);
  const multipliers = JAYANT[bits];
  let step = 0.002;
  let predicted = 0;
  const out = narrow.map((value) => {
    const error = value - predicted;
    const magnitude = Math.min(levels - 1, Math.floor(Math.abs(error) / step));
    predicted = 0.98 * predicted + Math.sign(error) * (magnitude + 0.5) * step;
    predicted = Math.max(-1, Math.min(1, predicted));
    step = Math.max(0.0002, Math.min(0.25, step * multipliers[magnitude]!));
    return predicted;
  });
  return fitted(resample(out, TELEPHONE_RATE, sampleRate), samples.length);
}
const JAYANT = {
  2: [0.8, 1.6],
  3: [0.9, 0.9, 1.25, 1.75],
  4: [0.9, 0.9, 0.9, 0.9, 1.2, 1.6, 2, 2.4],
} as const;

/** Codecs that {@link codec} runs samples through: ffmpeg's encoder, the file it goes into, and the rate it wants. */
const CODECS = {
  mp3: { encoder: "libmp3lame", container: "mp3", rate: 16_000 },
  opus: { encoder: "libopus", container: "ogg", rate: 16_000 },
  vorbis: { encoder: "libvorbis", container: "ogg", rate: 16_000 },
  aac: { encoder: "aac", container: "adts", rate: 16_000 },
} as const;
/** A codec of {@link codec}. */
export type CodecName = keyof typeof CODECS;
/** Names that {@link codec} takes. */
export const CODEC_NAMES: readonly CodecName[] = Object.keys(CODECS) as CodecName[];

/**
 * `samples` through a real codec at `kbps` kbit/s, encoded by the system's ffmpeg; the coder's delay is taken out.
 * @throws EmosllmError `audio_unsupported` without ffmpeg or without that encoder in it.
 */
export async function codec(
  samples: Float32Array,
  sampleRate: number,
  name: CodecName,
  kbps: number,
): Promise<Float32Array> {
  if (!Object.hasOwn(CODECS, name))
    throw new EmosllmError("usage", `codec '${name}' is not one of ${CODEC_NAMES.join(", ")}`);
  const { encoder, container, rate } = CODECS[name];
  if (!(kbps >= 4 && kbps <= 512)) throw new EmosllmError("usage", `${kbps} kbit/s is not between 4 and 512`);
  const program = await findFfmpeg();
  if (!program) throw new EmosllmError("audio_unsupported", `coding with ${name} needs ffmpeg, which was not found`);
  const input = encodeWav(
    { samples: [resample(samples, sampleRate, rate)], sampleRate: rate },
    { encoding: "float32" },
  );
  const args = [
    "-v",
    "error",
    "-f",
    "wav",
    "-i",
    "pipe:0",
    "-c:a",
    encoder,
    "-b:a",
    `${kbps}k`,
    "-f",
    container,
    "pipe:1",
  ];
  const coded = await pipe(program, args, input);
  const sound = await decodeAudio(coded, { name: `${name} of ${kbps} kbit/s` });
  return fitted(withoutDelay(resample(sound.samples[0]!, sound.sampleRate, sampleRate), samples), samples.length);
}

/** Shifts `decoded` so that it lies on `original`: some containers do not tell the coder's delay. */
function withoutDelay(decoded: Float32Array, original: Float32Array): Float32Array {
  const length = Math.min(original.length, 16_000);
  let best = 0;
  let bestLag = 0;
  for (let lag = 0; lag < 4800 && lag < decoded.length; lag++) {
    let sum = 0;
    for (let i = 0; i < length && i + lag < decoded.length; i++) sum += original[i]! * decoded[i + lag]!;
    if (sum > best) {
      best = sum;
      bestLag = lag;
    }
  }
  return decoded.subarray(bestLag);
}

function pipe(program: string, args: readonly string[], input: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const parts: Buffer[] = [];
    let message = "";
    child.stdout.on("data", (part: Buffer) => parts.push(part));
    child.stderr.on("data", (part: Buffer) => (message += part.toString().slice(0, 1000)));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0 && parts.length > 0) resolve(Buffer.concat(parts));
      else
        reject(new EmosllmError("audio_unsupported", `ffmpeg cannot encode: ${message.trim() || `exit code ${code}`}`));
    });
    // ffmpeg may end before it has read everything; its exit code tells.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** Settings of {@link losePackets}. */
export interface PacketLoss {
  /** Share of packets that are lost, 0 to below 1. */
  readonly rate: number;
  /** Mean length of a run of lost packets (1.5); losses come in bursts (E. N. Gilbert 1960). */
  readonly burst?: number;
  /** Seconds of sound in a packet (0.02). */
  readonly packet?: number;
  /** What takes a lost packet's place: `silence`, or the packet before, fading. */
  readonly concealment?: "silence" | "repeat";
}

/** `samples` with packets lost. @throws EmosllmError `usage` */
export function losePackets(
  samples: Float32Array,
  sampleRate: number,
  { rate, burst = 1.5, packet = 0.02, concealment = "repeat" }: PacketLoss,
  random: Random,
): Float32Array {
  if (!(rate >= 0 && rate < 1)) throw new EmosllmError("usage", `packet loss rate ${rate} is not from 0 to below 1`);
  if (!(burst >= 1) || !(packet > 0))
    throw new EmosllmError("usage", `burst ${burst} must be at least 1, packet ${packet} s positive`);
  // A chain of two states whose stationary share of "lost" is `rate` and whose mean stay there is `burst`.
  const leave = 1 / burst;
  const enter = Math.min(1, (rate * leave) / (1 - rate));
  const size = Math.max(1, Math.round(packet * sampleRate));
  const out = samples.slice();
  let lost = random.uniform() < rate;
  for (let at = 0, run = 0; at < out.length; at += size) {
    if (lost) {
      run++;
      for (let i = at; i < Math.min(out.length, at + size); i++)
        out[i] = concealment === "silence" || i < size ? 0 : out[i - size]! * 0.5 ** (run / 2);
    } else run = 0;
    lost = random.uniform() < (lost ? 1 - leave : enter);
  }
  return out;
}
