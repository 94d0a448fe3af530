/** @file Words for the levels of each measure, by language. A new language is one more entry of {@link VOICE_LANGUAGES}. */
import type { VoiceMeasure } from "./measures.ts";

/** Measures that are said; the rest only decide whether others are. */
export const SPOKEN_MEASURES = [
  "loudness",
  "pitchLevel",
  "pitchVariation",
  "pitchRange",
  "rate",
  "pauses",
  "quality",
  "brightness",
  "duration",
] as const;
/** One of {@link SPOKEN_MEASURES}; `quality` joins jitter, shimmer and harmonicity. */
export type SpokenMeasure = (typeof SPOKEN_MEASURES)[number];

type FiveWords = readonly [string, string, string, string, string];

/** One language: five words per measure, and how they make sentences. */
export interface VoiceLanguage {
  readonly words: { readonly [K in SpokenMeasure]: FiveWords };
  /** A full sentence per measure; `{}` is the word. */
  readonly sentences: { readonly [K in SpokenMeasure]: string };
  /** Labels of the `tags` style. */
  readonly labels: { readonly [K in SpokenMeasure]: string };
  /** Phrases of the `compact` style's one sentence; `{}` is the word. */
  readonly phrases: { readonly [K in SpokenMeasure]: string };
  readonly compact: { readonly start: string; readonly and: string };
  /** What is said of a clip without any reliable measure. */
  readonly nothing: string;
}

/** Measures behind {@link SpokenMeasure} `quality`, whose levels are averaged; harmonicity counts upside down. */
export const QUALITY_MEASURES: readonly { readonly name: VoiceMeasure; readonly reversed: boolean }[] = [
  { name: "jitter", reversed: false },
  { name: "shimmer", reversed: false },
  { name: "harmonicity", reversed: true },
];

const en: VoiceLanguage = {
  words: {
    loudness: ["very quiet", "quiet", "of normal loudness", "loud", "very loud"],
    pitchLevel: ["very low", "low", "medium", "high", "very high"],
    pitchVariation: ["very small", "small", "normal", "large", "very large"],
    pitchRange: ["very narrow", "narrow", "normal", "wide", "very wide"],
    rate: ["very slow", "slow", "normal", "fast", "very fast"],
    pauses: ["hardly any pauses", "few pauses", "some pauses", "many pauses", "very many pauses"],
    quality: ["very clear", "clear", "normal", "rough", "very rough"],
    brightness: ["very dark", "dark", "neutral", "bright", "very bright"],
    duration: ["very short", "short", "of normal length", "long", "very long"],
  },
  sentences: {
    loudness: "The voice is {}.",
    pitchLevel: "The pitch is {}.",
    pitchVariation: "The pitch variation is {}.",
    pitchRange: "The pitch range is {}.",
    rate: "The speaking rate is {}.",
    pauses: "There are {}.",
    quality: "The voice quality is {}.",
    brightness: "The timbre is {}.",
    duration: "The utterance is {}.",
  },
  labels: {
    loudness: "loudness",
    pitchLevel: "pitch",
    pitchVariation: "pitch variation",
    pitchRange: "pitch range",
    rate: "rate",
    pauses: "pauses",
    quality: "voice quality",
    brightness: "timbre",
    duration: "duration",
  },
  phrases: {
    loudness: "a voice that is {}",
    pitchLevel: "a {} pitch",
    pitchVariation: "a {} pitch variation",
    pitchRange: "a {} pitch range",
    rate: "a {} speaking rate",
    pauses: "{}",
    quality: "a {} voice quality",
    brightness: "a {} timbre",
    duration: "an utterance that is {}",
  },
  compact: { start: "The speaker has ", and: " and " },
  nothing: "The voice cannot be described reliably.",
};

const de: VoiceLanguage = {
  words: {
    loudness: ["sehr leise", "leise", "normal laut", "laut", "sehr laut"],
    pitchLevel: ["sehr tief", "tief", "mittel", "hoch", "sehr hoch"],
    pitchVariation: ["sehr gering", "gering", "normal", "groß", "sehr groß"],
    pitchRange: ["sehr eng", "eng", "normal", "weit", "sehr weit"],
    rate: ["sehr langsam", "langsam", "normal", "schnell", "sehr schnell"],
    pauses: ["kaum Pausen", "wenige Pausen", "einige Pausen", "viele Pausen", "sehr viele Pausen"],
    quality: ["sehr klar", "klar", "normal", "rau", "sehr rau"],
    brightness: ["sehr dunkel", "dunkel", "neutral", "hell", "sehr hell"],
    duration: ["sehr kurz", "kurz", "normal lang", "lang", "sehr lang"],
  },
  sentences: {
    loudness: "Die Stimme ist {}.",
    pitchLevel: "Die Tonhöhe ist {}.",
    pitchVariation: "Die Schwankung der Tonhöhe ist {}.",
    pitchRange: "Der Tonumfang ist {}.",
    rate: "Das Sprechtempo ist {}.",
    pauses: "Es gibt {}.",
    quality: "Der Stimmklang ist {}.",
    brightness: "Die Klangfarbe ist {}.",
    duration: "Die Äußerung ist {}.",
  },
  labels: {
    loudness: "Lautstärke",
    pitchLevel: "Tonhöhe",
    pitchVariation: "Tonhöhenschwankung",
    pitchRange: "Tonumfang",
    rate: "Tempo",
    pauses: "Pausen",
    quality: "Stimmklang",
    brightness: "Klangfarbe",
    duration: "Dauer",
  },
  phrases: {
    loudness: "eine Stimme, die {} ist",
    pitchLevel: "eine Tonhöhe, die {} ist",
    pitchVariation: "eine Tonhöhenschwankung, die {} ist",
    pitchRange: "ein Tonumfang, der {} ist",
    rate: "ein Sprechtempo, das {} ist",
    pauses: "{}",
    quality: "ein Stimmklang, der {} ist",
    brightness: "eine Klangfarbe, die {} ist",
    duration: "eine Äußerung, die {} ist",
  },
  compact: { start: "Zu hören sind: ", and: " und " },
  nothing: "Die Stimme lässt sich nicht verlässlich beschreiben.",
};

const fr: VoiceLanguage = {
  words: {
    loudness: ["très faible", "faible", "de force normale", "forte", "très forte"],
    pitchLevel: ["très grave", "grave", "moyenne", "aiguë", "très aiguë"],
    pitchVariation: ["presque nulle", "faible", "normale", "grande", "très grande"],
    pitchRange: ["très étroite", "étroite", "normale", "large", "très large"],
    rate: ["très lent", "lent", "normal", "rapide", "très rapide"],
    pauses: ["très peu de pauses", "peu de pauses", "quelques pauses", "beaucoup de pauses", "énormément de pauses"],
    quality: ["très clair", "clair", "normal", "rauque", "très rauque"],
    brightness: ["très sombre", "sombre", "neutre", "brillant", "très brillant"],
    duration: ["très court", "court", "de longueur normale", "long", "très long"],
  },
  sentences: {
    loudness: "La voix est {}.",
    pitchLevel: "La hauteur est {}.",
    pitchVariation: "La variation de hauteur est {}.",
    pitchRange: "L'étendue de hauteur est {}.",
    rate: "Le débit est {}.",
    pauses: "On entend {}.",
    quality: "Le grain de la voix est {}.",
    brightness: "Le timbre est {}.",
    duration: "L'énoncé est {}.",
  },
  labels: {
    loudness: "intensité",
    pitchLevel: "hauteur",
    pitchVariation: "variation de hauteur",
    pitchRange: "étendue",
    rate: "débit",
    pauses: "pauses",
    quality: "grain",
    brightness: "timbre",
    duration: "durée",
  },
  phrases: {
    loudness: "une voix {}",
    pitchLevel: "une hauteur {}",
    pitchVariation: "une variation de hauteur {}",
    pitchRange: "une étendue {}",
    rate: "un débit {}",
    pauses: "{}",
    quality: "un grain {}",
    brightness: "un timbre {}",
    duration: "un énoncé {}",
  },
  compact: { start: "On entend ", and: " et " },
  nothing: "La voix ne peut pas être décrite de façon fiable.",
};

/** The languages there are, by BCP 47 tag. */
export const VOICE_LANGUAGES: Readonly<Record<string, VoiceLanguage>> = { en, de, fr };
