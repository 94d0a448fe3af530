/** @file Corruptions as plain data: a list of them with a seed says exactly what was done to a clip. */
import { assertCorruptionSettings } from "./settings.ts";
import { EmosllmError } from "@emosllm/interfaces";
import { applyGain, peakLevel } from "../audio/level.ts";
import { loadSpeech } from "../audio/load-speech.ts";
import { type Band, limitBand } from "./band.ts";
import { adpcm, codec, type CodecName, losePackets, type PacketLoss, telephone } from "./coding.ts";
import { babble, excerpt, mixAtSnr, pinkNoise, whiteNoise } from "./noise.ts";
import { type Random, seededRandom } from "./random.ts";
import { reverberate, type Room } from "./room.ts";
import { changeSpeed, changeTempo, shiftPitch } from "./tempo.ts";

/** The settings of each corruption. */
export interface CorruptionSettings {
  /** Noise at an exact ratio: `kind` white, pink, `file` (one of `files`, drawn) or `babble` (`voices` of them, drawn). */
  readonly noise: {
    snr: number;
    kind: "white" | "pink" | "file" | "babble";
    files?: readonly string[];
    voices?: number;
  };
  readonly room: Room;
  /** Hard clipping `dB` below the clip's own peak. */
  readonly clipping: { dB: number };
  readonly band: Band;
  readonly telephone: { law?: "a-law" | "mu-law" };
  readonly adpcm: { bits?: 2 | 3 | 4 };
  readonly codec: { name: CodecName; kbps: number };
  readonly packetLoss: PacketLoss;
  readonly gain: { dB: number };
  readonly speed: { factor: number };
  readonly tempo: { factor: number };
  readonly pitch: { semitones: number };
}
/** A corruption's name. */
export type CorruptionName = keyof CorruptionSettings;
/** One corruption: its name and its settings. */
export type Corruption = { [K in CorruptionName]: { readonly type: K } & CorruptionSettings[K] }[CorruptionName];

type Apply<K extends CorruptionName> = (
  samples: Float32Array,
  sampleRate: number,
  settings: CorruptionSettings[K],
  random: Random,
) => Float32Array | Promise<Float32Array>;

async function noise(
  samples: Float32Array,
  sampleRate: number,
  { snr, kind, files = [], voices = 5 }: CorruptionSettings["noise"],
  random: Random,
): Promise<Float32Array> {
  if (kind === "white") return mixAtSnr(samples, whiteNoise(samples.length, random), snr);
  if (kind === "pink") return mixAtSnr(samples, pinkNoise(samples.length, random), snr);
  if (kind !== "file" && kind !== "babble")
    throw new EmosllmError("usage", `noise of kind '${kind}' is not one of white, pink, file, babble`);
  if (files.length === 0) throw new EmosllmError("usage", `noise of kind ${kind} needs files`);
  const drawn = Array.from({ length: kind === "file" ? 1 : voices }, () => files[random.below(files.length)]!);
  const sounds = await Promise.all(drawn.map((path) => loadSpeech(path, { sampleRate })));
  const sound = kind === "file" ? excerpt(sounds[0]!, samples.length, random) : babble(sounds, samples.length, random);
  return mixAtSnr(samples, sound, snr);
}

/** Limits `samples` to `dB` below their own peak. */
export function clipPeaks(samples: Float32Array, dB: number): Float32Array {
  if (!(dB >= 0)) throw new EmosllmError("usage", `clipping ${dB} dB below the peak is not possible`);
  const limit = 10 ** ((peakLevel(samples) - dB) / 20);
  return samples.map((value) => Math.max(-limit, Math.min(limit, value)));
}

const CORRUPTIONS: { readonly [K in CorruptionName]: Apply<K> } = {
  noise,
  room: (x, rate, room) => reverberate(x, rate, room),
  clipping: (x, _, { dB }) => clipPeaks(x, dB),
  band: (x, rate, band) => limitBand(x, rate, band),
  telephone: (x, rate, { law }) => telephone(x, rate, law),
  adpcm: (x, rate, { bits }) => adpcm(x, rate, bits),
  codec: (x, rate, { name, kbps }) => codec(x, rate, name, kbps),
  packetLoss: (x, rate, loss, random) => losePackets(x, rate, loss, random),
  gain: (x, _, { dB }) => applyGain(x, dB),
  speed: (x, _, { factor }) => changeSpeed(x, factor),
  tempo: (x, rate, { factor }) => changeTempo(x, rate, factor),
  pitch: (x, rate, { semitones }) => shiftPitch(x, rate, semitones),
};
/** Names of all corruptions. */
export const CORRUPTION_NAMES: readonly CorruptionName[] = Object.keys(CORRUPTIONS) as CorruptionName[];

/**
 * `samples` (one channel at `sampleRate` Hz) after `corruptions`, one after the other. Each draws from a stream of its own, made
 * of `seed` and its place, so that adding one at the end changes none before it.
 * @throws EmosllmError `usage`, `audio_empty`, and what decoding a noise file throws.
 * @example
 * await corrupt(samples, 16000, [{ type: "noise", kind: "white", snr: 10 }, { type: "telephone" }], { seed: 7 });
 */
export async function corrupt(
  samples: Float32Array,
  sampleRate: number,
  corruptions: readonly Corruption[],
  options: { seed?: number | string } = {},
): Promise<Float32Array> {
  const { seed = 0 } = options;
  let current = samples;
  for (const [i, corruption] of corruptions.entries()) {
    if (!Object.hasOwn(CORRUPTIONS, corruption.type))
      throw new EmosllmError("usage", `corruption '${corruption.type}' is not one of ${CORRUPTION_NAMES.join(", ")}`);
    assertCorruptionSettings(corruption.type, corruption as unknown as Readonly<Record<string, unknown>>);
    const apply = CORRUPTIONS[corruption.type] as Apply<CorruptionName>;
    current = await apply(current, sampleRate, corruption as never, seededRandom(`${seed}/${i}/${corruption.type}`));
  }
  return current;
}
