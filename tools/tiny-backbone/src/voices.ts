/**
 * @file What moods do to voices, in words: the knowledge the tiny model gets before it hears anything. Directions as in Scherer (2003)
 * and Juslin & Laukka (2003).
 */
import { chance, listed, pick, some, type Random } from "./draw.ts";

/** Steps of a scale, 0 very low to 4 very high, that a mood is likely to take. */
interface Manner {
  readonly volume: readonly number[];
  readonly pitch: readonly number[];
  readonly variation: readonly number[];
  readonly rate: readonly number[];
  readonly quality: readonly string[];
}

/** Label words and how they sound. */
export const MANNERS: Readonly<Record<string, Manner>> = {
  angry: {
    volume: [3, 4, 4],
    pitch: [2, 3],
    variation: [3, 4],
    rate: [3, 4],
    quality: ["harsh", "sharp", "tense", "rough"],
  },
  happy: {
    volume: [2, 3],
    pitch: [3, 4, 4],
    variation: [3, 4, 4],
    rate: [2, 3],
    quality: ["bright", "lively", "warm", "melodic"],
  },
  neutral: { volume: [2], pitch: [2], variation: [1, 2], rate: [2], quality: ["even", "plain", "clear", "steady"] },
  sad: {
    volume: [0, 1],
    pitch: [0, 1],
    variation: [0, 1],
    rate: [0, 1],
    quality: ["breathy", "weak", "soft", "broken"],
  },
  excited: { volume: [3, 4], pitch: [4], variation: [4], rate: [3, 4, 4], quality: ["bright", "lively", "eager"] },
  frustrated: {
    volume: [2, 3],
    pitch: [1, 2],
    variation: [2, 3],
    rate: [1, 2],
    quality: ["tense", "pressed", "sighing"],
  },
  fearful: { volume: [1, 2], pitch: [3, 4], variation: [2, 3], rate: [3, 4], quality: ["shaking", "thin", "breathy"] },
  surprised: { volume: [3], pitch: [4], variation: [4], rate: [2], quality: ["open", "sudden"] },
  disgusted: { volume: [1, 2], pitch: [0, 1], variation: [1, 2], rate: [0, 1], quality: ["creaky", "pressed"] },
  bored: { volume: [1], pitch: [1], variation: [0], rate: [0, 1], quality: ["flat", "dull"] },
  calm: { volume: [1, 2], pitch: [1, 2], variation: [1], rate: [0, 1], quality: ["smooth", "warm", "steady"] },
};

/** Every label word of {@link MANNERS}. */
export const MOODS: readonly string[] = Object.keys(MANNERS);

/** The label sets that questions offer; the four of most corpora come most often. */
export const LABEL_SETS: readonly (readonly string[])[] = [
  ["angry", "happy", "neutral", "sad"],
  ["angry", "happy", "neutral", "sad"],
  ["angry", "happy", "neutral", "sad"],
  ["angry", "happy", "neutral", "sad", "excited", "frustrated"],
  ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"],
];

const STEPS = ["very low", "low", "moderate", "high", "very high"];
const VOLUME = ["very soft", "soft", "", "loud", "very loud"];
const PITCH = ["very low", "low", "", "high", "very high"];
const RATE = ["very slow", "slow", "", "fast", "very fast"];
const VARIATION = ["monotone", "flat", "", "varied", "very varied"];

/** One voice: a step on each scale, and a quality. */
export interface Voice {
  readonly volume: number;
  readonly pitch: number;
  readonly variation: number;
  readonly rate: number;
  readonly quality: string;
}

/** A voice in some mood; one scale in ten is off, as in life. */
export function voiceOf(random: Random, mood: string): Voice {
  const manner = MANNERS[mood];
  if (manner === undefined) throw new RangeError(`mood '${mood}' is not one of ${MOODS.join(", ")}`);
  const step = (steps: readonly number[]): number =>
    chance(random, 0.1) ? Math.floor(random() * 5) : pick(random, steps);
  return {
    volume: step(manner.volume),
    pitch: step(manner.pitch),
    variation: step(manner.variation),
    rate: step(manner.rate),
    quality: pick(random, manner.quality),
  };
}

/** Two to four words for a voice. */
export function adjectives(random: Random, voice: Voice): string[] {
  const all = [VOLUME[voice.volume], PITCH[voice.pitch], RATE[voice.rate], VARIATION[voice.variation], voice.quality];
  const said = all.filter((word): word is string => word !== undefined && word !== "");
  return some(
    random,
    said.length < 2 ? ["of normal volume", "of normal pitch", ...said] : said,
    2 + Math.floor(random() * 3),
  );
}

/** How the slot for a voice's description may be filled. */
const NOTES: readonly ((random: Random, voice: Voice) => string)[] = [
  (r, v) => listed(adjectives(r, v)),
  (r, v) => adjectives(r, v).join(", "),
  (_, v) =>
    `${STEPS[v.volume]} volume, ${STEPS[v.pitch]} pitch with ${STEPS[v.variation]} variation, ${STEPS[v.rate]} speaking rate`,
  (_, v) => `${STEPS[v.pitch]} pitch, ${STEPS[v.volume]} loudness, ${STEPS[v.rate]} rate, ${v.quality} quality`,
];

/** A voice in words, e.g. `loud, high and fast`. */
export const describe = (random: Random, voice: Voice): string => pick(random, NOTES)(random, voice);

/** A sentence about how a voice sounds. */
export function voiceSentence(
  random: Random,
  voice: Voice,
  said: readonly string[] = adjectives(random, voice),
): string {
  const words = listed(said);
  return pick(random, [`The voice is ${words}.`, `The speaker sounds ${words}.`, `It is a ${words} voice.`]);
}

/** A fact that links a mood and a voice, for plain reading. */
export function moodFact(random: Random, name: string): string {
  const mood = pick(random, MOODS);
  const words = listed(adjectives(random, voiceOf(random, mood)));
  return pick(random, [
    `When ${name} is ${mood}, the voice is ${words}.`,
    `${name} sounds ${mood}: the voice is ${words}.`,
    `A ${mood} voice is often ${words}.`,
    `The voice of ${name} was ${words}, so I thought that ${name} was ${mood}.`,
  ]);
}
