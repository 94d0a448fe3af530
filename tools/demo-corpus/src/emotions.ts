/**
 * @file How a feeling changes a voice here: a table of cues. Directions follow the reviews of Scherer (2003, "Vocal communication
 * of emotion") and Juslin & Laukka (2003); sizes are ours. Every speaker departs from the table in an own way, every clip again,
 * and a clip may express its label weakly, so that the labels overlap in each cue.
 */
import { randomOf, type Random } from "./random.ts";
import type { Speaker } from "./speakers.ts";

/** IEMOCAP's codes that the demo corpus uses; `xxx` (raters disagree) is acted as a weak mixture. */
export const CODES = ["ang", "hap", "exc", "neu", "sad", "fru"] as const;
/** One of {@link CODES}. */
export type Code = (typeof CODES)[number];

/** What the voice does in one clip, relative to the speaker's neutral voice. */
export interface Cues {
  /** Mean pitch, semitones. */
  readonly level: number;
  /** Pitch span, natural logarithm of the factor. */
  readonly range: number;
  /** Speaking rate, natural logarithm of the factor. */
  readonly rate: number;
  /** Vocal effort, dB: treble and distance from the noise (never the level of the file). */
  readonly effort: number;
  /** Breath noise, share. */
  readonly breath: number;
  /** Roughness, espeak's steps. */
  readonly roughness: number;
  /** Shaking of pitch and loudness, share. */
  readonly tremor: number;
  /** Chance of a pause between two words. */
  readonly pause: number;
  /** Accent on content words, dB. */
  readonly accent: number;
  /** Accent on content words, semitones. */
  readonly lift: number;
  /** Pitch at the end against the start, semitones. */
  readonly slope: number;
  /** Pitch jumps from word to word, semitones. */
  readonly melody: number;
}

const CUES = [
  "level",
  "range",
  "rate",
  "effort",
  "breath",
  "roughness",
  "tremor",
  "pause",
  "accent",
  "lift",
  "slope",
  "melody",
] as const satisfies readonly (keyof Cues)[];

/** Full expression of each code. */
const TARGETS: Readonly<Record<Code, Cues>> = {
  // prettier-ignore
  ang: { level: 1.9, range: 0.4, rate: 0.13, effort: 9, breath: -0.06, roughness: 3.2, tremor: 0.05, pause: -0.03, accent: 6, lift: 0.4, slope: -2.4, melody: 0.1 },
  // prettier-ignore
  hap: { level: 3.8, range: 0.75, rate: 0.06, effort: 2.4, breath: 0.04, roughness: -0.4, tremor: 0, pause: -0.02, accent: 1.8, lift: 2.6, slope: 2.2, melody: 1.2 },
  // prettier-ignore
  exc: { level: 4.8, range: 0.8, rate: 0.12, effort: 3.2, breath: 0.02, roughness: -0.2, tremor: 0, pause: -0.03, accent: 2.4, lift: 3, slope: 2.6, melody: 1.4 },
  // prettier-ignore
  neu: { level: 0, range: 0, rate: 0, effort: 0, breath: 0, roughness: 0, tremor: 0, pause: 0, accent: 0, lift: 0, slope: 0, melody: 0 },
  // prettier-ignore
  sad: { level: -1.8, range: -0.8, rate: -0.23, effort: -8, breath: 0.3, roughness: 0.3, tremor: 0.5, pause: 0.16, accent: -1.2, lift: -0.4, slope: -1.8, melody: -0.2 },
  // prettier-ignore
  fru: { level: 1, range: 0.15, rate: -0.02, effort: 4, breath: 0.04, roughness: 1.6, tremor: 0.05, pause: 0.05, accent: 3, lift: 0.3, slope: -1.8, melody: 0.1 },
};

/** Standard deviation of a speaker's own way with one code, and of one clip. */
const SPREAD: Readonly<Record<keyof Cues, readonly [speaker: number, clip: number]>> = {
  level: [0.5, 0.9],
  range: [0.1, 0.14],
  rate: [0.03, 0.05],
  effort: [0.7, 1.2],
  breath: [0.03, 0.05],
  roughness: [0.35, 0.6],
  tremor: [0.04, 0.08],
  pause: [0.02, 0.04],
  accent: [0.5, 0.8],
  lift: [0.25, 0.4],
  slope: [0.4, 0.7],
  melody: [0.1, 0.18],
};

/** How strongly a clip shows its label: most clearly, some faintly. */
export function drawIntensity(random: Random): number {
  return random.uniform() < 0.08 ? random.between(0.3, 0.6) : random.between(0.8, 1.2);
}

/** The cues of one clip. `other` mixes a second code in half and half (for `xxx`). */
export function drawCues(
  seed: number,
  speaker: Speaker,
  code: Code,
  intensity: number,
  random: Random,
  other?: Code,
): Cues {
  const ways = randomOf(`${seed}/way/${speaker.id}/${code}`);
  const expressiveness = Math.exp(0.1 * randomOf(`${seed}/expressiveness/${speaker.id}`).normal());
  const cues = {} as Record<keyof Cues, number>;
  for (const cue of CUES) {
    const target = other === undefined ? TARGETS[code][cue] : (TARGETS[code][cue] + TARGETS[other][cue]) / 2;
    const [ofSpeaker, ofClip] = SPREAD[cue];
    cues[cue] = target * intensity * expressiveness + ofSpeaker * ways.normal() + ofClip * random.normal();
  }
  return cues;
}

/** Valence, activation and dominance of each code at full expression, on IEMOCAP's scale of 1 to 5. */
export const DIMENSIONS: Readonly<Record<Code, readonly [valence: number, activation: number, dominance: number]>> = {
  ang: [1.7, 4, 4.1],
  hap: [4.1, 3.3, 3.2],
  exc: [4.1, 4, 3.7],
  neu: [3, 2.5, 2.9],
  sad: [2, 1.9, 2.3],
  fru: [2.1, 3.2, 3.3],
};
