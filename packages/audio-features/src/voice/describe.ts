/** @file A voice in words: levels of measures as deterministic sentences. */
import { EmosllmError } from "@emosllm/interfaces";
import { binVoice, type Speaker, type VoiceBins } from "./bins.ts";
import type { VoiceMeasure, VoiceMeasures } from "./measures.ts";
import {
  QUALITY_MEASURES,
  SPOKEN_MEASURES,
  VOICE_LANGUAGES,
  type SpokenMeasure,
  type VoiceLanguage,
} from "./templates.ts";

/** `sentences`: one per measure; `compact`: one sentence in all; `tags`: `loudness: loud; pitch: high`; `marked`: as `sentences`, only what stands out. */
export const VOICE_STYLES = ["sentences", "compact", "tags", "marked"] as const;
/** One of {@link VOICE_STYLES}. */
export type VoiceStyle = (typeof VOICE_STYLES)[number];

/** Options of {@link describeVoice}. */
export interface DescribeOptions extends Speaker {
  style?: VoiceStyle;
  /** A key of `VOICE_LANGUAGES`. Default `en`. */
  language?: string;
  /** What to speak of, in this order. Default: everything but duration. */
  measures?: readonly SpokenMeasure[];
}

/** A described voice. */
export interface VoiceDescription {
  readonly text: string;
  /** The level, 0 (very low) to 4 (very high), of everything that was said. */
  readonly levels: { readonly [K in SpokenMeasure]?: number };
  /** Whose bins were used: `overall`, `gender:...` or `speaker:...`. */
  readonly group: string;
  /** Measures that were asked for and are missing: not reliable in this clip, or without bins. */
  readonly omitted: readonly SpokenMeasure[];
}

const DEFAULT_MEASURES = SPOKEN_MEASURES.filter((name) => name !== "duration");

const fill = (template: string, word: string): string => template.replace("{}", word);

type Said = readonly (readonly [SpokenMeasure, number])[];

const STYLES: { readonly [K in VoiceStyle]: (said: Said, language: VoiceLanguage) => string } = {
  sentences: (said, { sentences, words }) => said.map(([name, l]) => fill(sentences[name], words[name][l]!)).join(" "),
  compact: (said, { phrases, words, compact }) => {
    const parts = said.map(([name, l]) => fill(phrases[name], words[name][l]!));
    const last = parts.pop()!;
    return `${compact.start}${parts.length > 0 ? parts.join(", ") + compact.and : ""}${last}.`;
  },
  tags: (said, { labels, words }) => said.map(([name, l]) => `${labels[name]}: ${words[name][l]}`).join("; "),
  marked: (said, language) =>
    STYLES.sentences(
      said.filter(([, level]) => level !== 2),
      language,
    ),
};

function spokenLevel(name: SpokenMeasure, levels: { readonly [K in VoiceMeasure]?: number }): number | undefined {
  if (name !== "quality") return levels[name];
  const parts = QUALITY_MEASURES.flatMap(({ name: m, reversed }) => {
    const level = levels[m];
    return level === undefined ? [] : [reversed ? 4 - level : level];
  });
  // one measure alone says too little about the quality of a voice
  return parts.length < 2 ? undefined : Math.round(parts.reduce((a, b) => a + b, 0) / parts.length);
}

/**
 * `measures` in words, by `bins`; what is not reliable is left out.
 * @throws EmosllmError `config_invalid` for an unknown style, language or measure, listing what there is.
 */
export function describeVoice(
  measures: VoiceMeasures,
  bins: VoiceBins,
  options: DescribeOptions = {},
): VoiceDescription {
  const { style = "sentences", language = "en", measures: wanted = DEFAULT_MEASURES } = options;
  if (!VOICE_STYLES.includes(style))
    throw new EmosllmError("config_invalid", `style ${String(style)} is not one of ${VOICE_STYLES.join(", ")}`);
  const words = Object.hasOwn(VOICE_LANGUAGES, language) ? VOICE_LANGUAGES[language] : undefined;
  if (words === undefined)
    throw new EmosllmError(
      "config_invalid",
      `language ${language} is not one of ${Object.keys(VOICE_LANGUAGES).join(", ")}`,
    );
  const { group, levels } = binVoice(measures, bins, options);
  const said: [SpokenMeasure, number][] = [];
  const omitted: SpokenMeasure[] = [];
  for (const name of wanted) {
    if (!SPOKEN_MEASURES.includes(name))
      throw new EmosllmError("config_invalid", `measure ${String(name)} is not one of ${SPOKEN_MEASURES.join(", ")}`);
    const level = spokenLevel(name, levels);
    if (level === undefined) omitted.push(name);
    else said.push([name, level]);
  }
  const text = said.length === 0 ? words.nothing : STYLES[style](said, words);
  return { text, levels: Object.fromEntries(said), group, omitted };
}
