/** @file From cues to what espeak-ng understands: a voice variant file, a rate and SSML. */
import type { Cues } from "./emotions.ts";
import type { Random } from "./random.ts";
import type { Speaker } from "./speakers.ts";

/** What the synthesiser is told for one clip. */
export interface VoiceRequest {
  readonly voice: string;
  /** Contents of an espeak-ng voice variant file. */
  readonly variant: string;
  /** Words per minute. */
  readonly rate: number;
  readonly ssml: string;
}

const FUNCTION_WORDS = new Set(
  "a about after again all am an and are as at been behind by can for from goes going had has have he her him i in inside is it my next of off on one or our over she some that the them there they this to too under until up us want was we were what when where will with would you your".split(
    " ",
  ),
);

const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

/** One percent of SSML pitch is this many semitones in espeak-ng (measured: +20 % gives 1.8 semitones). */
const SEMITONES_PER_PERCENT = 0.091;

const escapeXml = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** espeak-ng's `pitch` line takes the lowest and the highest F0 in Hz; levels are centred on the speaker's mean. */
function variantFile(speaker: Speaker, cues: Cues): string {
  const span = clamp(speaker.span * Math.exp(cues.range), 1, 16);
  const centre = speaker.f0 * 2 ** (clamp(cues.level, -6, 9) / 12);
  const low = centre * 2 ** (-span / 2 / 12);
  const high = centre * 2 ** (span / 2 / 12);
  const breath = clamp(speaker.breath + cues.breath, 0, 0.8);
  const roughness = clamp(Math.round(speaker.roughness + cues.roughness), 0, 7);
  const tremor = clamp(cues.tremor, 0, 1);
  const formants = speaker.formants.map((percent, i) => `formant ${i + 1} ${percent} 100 100`);
  return [
    "language variant",
    "name demo",
    `pitch ${Math.round(low)} ${Math.round(high)}`,
    `flutter ${Math.round(2 + 6 * tremor)}`,
    `roughness ${roughness}`,
    `voicing ${Math.round(100 - 40 * breath)}`,
    `breath ${[60, 60, 45, 35, 20, 10].map((strength) => Math.round(strength * breath)).join(" ")}`,
    "breathw 150 150 200 200 400 400",
    ...formants,
    "",
  ].join("\n");
}

/** Words with their own pitch and volume, pauses between some, and a final mark that shapes the end of the tune. */
function ssmlOf(text: string, cues: Cues, random: Random): string {
  const words = text.replace(/[.?!]$/, "").split(" ");
  const last = words.length - 1;
  const spoken = words.map((word, i) => {
    const content = !FUNCTION_WORDS.has(word.toLowerCase().replace(/[^a-z']/g, ""));
    const drift = cues.slope * (i / Math.max(1, last) - 0.5);
    const lift = content ? cues.lift * random.between(0.4, 1.4) : 0;
    const jump = Math.max(0.15, 0.35 + cues.melody) * random.normal();
    const percent = clamp(Math.round((drift + lift + jump) / SEMITONES_PER_PERCENT), -45, 95);
    const stress = content ? cues.accent * random.between(0.5, 1.2) : 0;
    const volume = clamp(Math.round(60 * 10 ** (stress / 20)), 25, 130);
    const pause =
      i < last && random.uniform() < clamp(0.06 + cues.pause, 0, 0.5)
        ? `<break time="${Math.round(random.between(60, 200) * (1 + Math.max(0, cues.pause) * 2))}ms"/> `
        : "";
    const sign = percent < 0 ? "-" : "+";
    return `<prosody pitch="${sign}${Math.abs(percent)}%" volume="${volume}">${escapeXml(word)}</prosody> ${pause}`;
  });
  const end = cues.slope > 0.6 && random.uniform() < 0.4 ? "?" : random.uniform() < 0.15 ? "!" : ".";
  return spoken.join("").trimEnd() + end;
}

/** What to ask of espeak-ng so that `speaker` says `text` with these cues. */
export function voiceRequest(speaker: Speaker, text: string, cues: Cues, random: Random): VoiceRequest {
  return {
    voice: speaker.voice,
    variant: variantFile(speaker, cues),
    rate: Math.round(clamp(speaker.rate * Math.exp(cues.rate), 90, 320)),
    ssml: ssmlOf(text, cues, random),
  };
}
