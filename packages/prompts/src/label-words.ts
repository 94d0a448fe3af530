/** @file The words that stand for labels: by language and form, with synonyms, and orders of the labels. */
import { EmosllmError } from "@emosllm/interfaces";
import { randomOf, shuffle } from "./random.ts";
import type { LabelOption } from "./slots.ts";

/** `adjective` fits "the speaker sounds ...", `noun` fits "the emotion is ...". */
export type WordForm = "adjective" | "noun";

/** A label's words in one language; the first is the usual one, the others are synonyms. */
export type LabelForms = { readonly [F in WordForm]?: readonly string[] };

/** What the lexicon holds of a label. */
export interface LabelEntry {
  /** Other names of the label, as corpora write it (`joy` for `happy`). */
  readonly aliases: readonly string[];
  /** English. */
  readonly definition?: string | undefined;
  readonly languages: Readonly<Record<string, LabelForms>>;
}

/** Labels by their common name. */
export type LabelLexicon = Readonly<Record<string, LabelEntry>>;

/** A label with the word that stands for it and other words that count as it. */
export interface LabelWord extends LabelOption {
  readonly label: string;
  readonly synonyms: readonly string[];
}

/** Which words to take. */
export interface LabelWordOptions {
  /** BCP 47; its first part counts. Default `en`. */
  readonly language?: string;
  /** Default: the form that the label's own name has in English, `adjective` elsewhere. */
  readonly form?: WordForm;
  /** 0 is the usual word, 1 its first synonym, ...; past the end, the last. Default 0. */
  readonly variant?: number;
}

/**
 * The words of a scheme's labels. No two labels share a word: a word that another label of the scheme has as its first choice, or has
 * already taken, is left out. A label that the lexicon does not know stands for itself.
 *
 * @throws EmosllmError `label_unknown` for a language that the lexicon lacks, or labels that repeat.
 * @example
 * labelWords(["happy", "sad"], lexicon, { language: "fr", form: "noun" }).map((l) => l.word); // ["joie", "tristesse"]
 */
export function labelWords(
  labels: readonly string[],
  lexicon: LabelLexicon,
  { language = "en", form, variant = 0 }: LabelWordOptions = {},
): LabelWord[] {
  const repeated = labels.find((label, i) => labels.indexOf(label) !== i);
  if (repeated !== undefined) throw new EmosllmError("label_unknown", `label '${repeated}' stands twice in the scheme`);
  const tag = language.split("-")[0] ?? "en";
  const entries = labels.map(
    (label) => lexicon[label] ?? Object.values(lexicon).find((e) => e.aliases.includes(label)),
  );
  const languages = new Set(Object.values(lexicon).flatMap((entry) => Object.keys(entry.languages)));
  if (!languages.has(tag))
    throw new EmosllmError("label_unknown", `no label words in '${language}'; there are ${[...languages].join(", ")}`);
  const own = entries.map((entry, i): string[] => {
    const label = labels[i] ?? "";
    const forms = entry?.languages[tag];
    if (forms === undefined) return [label];
    const natural =
      tag === "en" && forms.noun?.includes(label) && !forms.adjective?.includes(label) ? "noun" : "adjective";
    const words = [...(forms[form ?? natural] ?? forms.adjective ?? forms.noun ?? [label])];
    // The scheme's own name for the label goes first where it is a word of that form.
    return words.includes(label) ? [label, ...words.filter((word) => word !== label)] : words;
  });
  const taken = new Map(own.map((words, i) => [words[0] ?? "", i]));
  const free = own.map((words, i) =>
    words.filter((word) => {
      if (!taken.has(word)) taken.set(word, i);
      return taken.get(word) === i;
    }),
  );
  return labels.map((label, i) => {
    const words = free[i]?.length ? (free[i] ?? []) : [label];
    const at = Math.min(variant, words.length - 1);
    return {
      label,
      word: words[at] ?? label,
      synonyms: words.filter((_, j) => j !== at),
      ...(tag === "en" && entries[i]?.definition !== undefined && { definition: entries[i].definition }),
    };
  });
}

/** `count` different orders of `items` (all of them where there are fewer): the given one first, then seeded ones. */
export function labelOrders<T>(items: readonly T[], count: number, seed: number | string = 0): T[][] {
  let all = 1;
  for (let n = 2; n <= items.length && all < count; n++) all *= n;
  const orders = new Map<string, number[]>();
  const identity = items.map((_, i) => i);
  orders.set(identity.join(), identity);
  for (let draw = 0; orders.size < Math.min(count, all); draw++) {
    const order = shuffle(identity, randomOf(seed, "order", draw));
    orders.set(order.join(), order);
  }
  return [...orders.values()].slice(0, Math.max(0, count)).map((order) => order.map((i) => items[i] as T));
}
