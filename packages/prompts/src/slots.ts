/** @file What stands in a prompt's slots, as text: one line per turn, example or option, cleaned of line breaks of its own. */
import { fillContent, parseContent } from "./content.ts";
import type { AnswerStyle, LabelStyle, PromptDefinition, Slot } from "./definition.ts";

/** A label to choose, with the definition that the style `defined` writes. */
export interface LabelOption {
  readonly word: string;
  readonly definition?: string | undefined;
}

/** One turn before the utterance. */
export interface ContextTurn {
  readonly speaker?: string | undefined;
  readonly text: string;
}

/** One solved example. */
export interface PromptExample {
  readonly transcript?: string | undefined;
  readonly voice?: string | undefined;
  readonly answer: string;
}

/** What is known of one utterance. A slot that is absent, or blank, leaves the prompt with its sentence. */
export interface SlotValues {
  /** `false` leaves the audio out (to measure what it is worth). Default `true`. */
  readonly audio?: boolean | undefined;
  readonly transcript?: string | undefined;
  /** The voice in words. */
  readonly voice?: string | undefined;
  readonly context?: string | readonly ContextTurn[] | undefined;
  readonly labels?: readonly (string | LabelOption)[] | undefined;
  readonly examples?: readonly PromptExample[] | undefined;
}

/** One line: every run of white space and control characters becomes a space, so that no value can fake a line of its own. */
export function oneLine(text: string): string {
  return text.replace(/[\p{White_Space}\p{Cc}]+/gu, " ").trim();
}

/** `A` to `Z`, then `AA`, ... */
export function optionLetter(index: number): string {
  const rest = Math.floor(index / 26) - 1;
  return (rest >= 0 ? optionLetter(rest) : "") + String.fromCharCode(65 + (index % 26));
}

interface Joining {
  readonly comma: string;
  readonly or: string;
}
const JOINING: Readonly<Record<string, Joining>> = {
  en: { comma: ", ", or: " or " },
  fr: { comma: ", ", or: " ou " },
  de: { comma: ", ", or: " oder " },
  es: { comma: ", ", or: " o " },
  it: { comma: ", ", or: " o " },
  pt: { comma: ", ", or: " ou " },
  nl: { comma: ", ", or: " of " },
  zh: { comma: "、", or: "或" },
  ja: { comma: "、", or: "または" },
  ko: { comma: ", ", or: " 또는 " },
};
const english: Joining = { comma: ", ", or: " or " };
const joiningOf = (language: string): Joining => JOINING[language.split("-")[0] ?? "en"] ?? english;

type WriteLabels = (options: readonly LabelOption[], joining: Joining) => string;
const words = (options: readonly LabelOption[]): string[] => options.map(({ word }) => word);

const WRITE_LABELS: { readonly [S in LabelStyle]: WriteLabels } = {
  comma: (options, { comma }) => words(options).join(comma),
  or: (options, { comma, or }) =>
    [words(options).slice(0, -1).join(comma), ...words(options).slice(-1)].filter((text) => text !== "").join(or),
  quoted: (options, { comma }) =>
    words(options)
      .map((word) => `"${word}"`)
      .join(comma),
  lines: (options) =>
    words(options)
      .map((word) => `- ${word}`)
      .join("\n"),
  lettered: (options) =>
    words(options)
      .map((word, i) => `${optionLetter(i)}. ${word}`)
      .join("\n"),
  numbered: (options) =>
    words(options)
      .map((word, i) => `${i + 1}. ${word}`)
      .join("\n"),
  defined: (options) =>
    options
      .map(({ word, definition }) => (definition === undefined ? `- ${word}` : `- ${word}: ${definition}`))
      .join("\n"),
};

const ANSWERS: { readonly [S in AnswerStyle]: (word: string, index: number) => string } = {
  word: (word) => word,
  letter: (_, index) => optionLetter(index),
  number: (_, index) => String(index + 1),
  text: (word) => word,
};

const cleanOption = (option: string | LabelOption): LabelOption => {
  const { word, definition } = typeof option === "string" ? { word: option, definition: undefined } : option;
  return { word: oneLine(word), ...(definition !== undefined && { definition: oneLine(definition) }) };
};

/** What the model is to answer for each label, in the order of `labels`: words, letters or numbers. */
export function answersOf(prompt: PromptDefinition, labels: readonly (string | LabelOption)[]): string[] {
  return labels.map((label, i) => ANSWERS[prompt.answer](cleanOption(label).word, i));
}

/** The text of each slot that has one; the audio's is empty, since vectors stand in its place. */
export function writeSlots(prompt: PromptDefinition, values: SlotValues): Map<Slot, string> {
  const { audio = true, transcript = "", voice = "", context = [], labels = [], examples = [] } = values;
  const turn = parseContent(prompt.turn, ["speaker", "text"]);
  const example = parseContent(prompt.example, ["transcript", "voice", "answer"]);
  const fill = (content: typeof turn, fields: Readonly<Record<string, string | undefined>>): string => {
    const text = (slot: string): string => oneLine(fields[slot] ?? "");
    return fillContent(content, (slot) => text(slot) !== "", text);
  };
  const turns: readonly ContextTurn[] =
    typeof context === "string" ? context.split("\n").map((text) => ({ text })) : context;
  const written: Record<Exclude<Slot, "audio">, string> = {
    transcript: oneLine(transcript),
    voice: oneLine(voice),
    context: turns
      .map((t) => ({ speaker: oneLine(t.speaker ?? ""), text: oneLine(t.text) }))
      .filter(({ text }) => text !== "")
      // Without a speaker, a turn is its words: there is no sentence to leave out, only a name before them.
      .map((t) => (t.speaker === "" ? t.text : fill(turn, t)))
      .join("\n"),
    labels: WRITE_LABELS[prompt.labels](labels.map(cleanOption), joiningOf(prompt.language)),
    examples: examples.map((e) => fill(example, { ...e })).join("\n"),
  };
  const filled = Object.entries(written).filter(([, text]) => text !== "") as [Slot, string][];
  return new Map<Slot, string>([...(audio ? [["audio", ""] as const] : []), ...filled]);
}
