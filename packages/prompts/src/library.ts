/** @file The curated prompts and label words of this package, and seeded draws from them (the paper's "curated selection of prompts"). */
import { readdir, readFile } from "node:fs/promises";
import { EmosllmError } from "@emosllm/interfaces";
import { parse } from "yaml";
import { z } from "zod";
import type { PromptDefinition, PromptTask } from "./definition.ts";
import type { LabelLexicon, LabelWord } from "./label-words.ts";
import { loadPrompts } from "./prompt-file.ts";
import { randomOf, shuffle } from "./random.ts";

const FOLDER = new URL("../library/", import.meta.url);

/** Which prompts of the library. */
export interface LibraryFilter {
  readonly task?: PromptTask;
  /** BCP 47; its first part counts. */
  readonly language?: string;
  readonly name?: string;
}

/** The curated prompts, in a fixed order, or those that a filter leaves; throws `prompt_invalid` where it leaves none. */
export async function promptLibrary({ task, language, name }: LibraryFilter = {}): Promise<PromptDefinition[]> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith(".yaml") && file !== "labels.yaml").sort();
  const all = (await Promise.all(files.map((file) => loadPrompts(new URL(file, FOLDER))))).flat();
  const tag = language?.split("-")[0];
  const found = all.filter(
    (prompt) =>
      (task === undefined || prompt.task === task) &&
      (tag === undefined || prompt.language === tag) &&
      (name === undefined || prompt.name === name),
  );
  if (found.length > 0) return found;
  const there = all.filter((prompt) => task === undefined || prompt.task === task);
  throw new EmosllmError(
    "prompt_invalid",
    `the library has no prompt with ${JSON.stringify({ task, language, name })}; there are ${there.map((prompt) => prompt.name).join(", ")}`,
  );
}

const forms = z.strictObject({ adjective: z.array(z.string()).optional(), noun: z.array(z.string()).optional() });
const lexiconSchema = z.record(
  z.string(),
  z.object({ aliases: z.array(z.string()).default([]), definition: z.string().optional() }).catchall(forms),
);

/** The curated label words: fifteen labels in eight languages. */
export async function labelLexicon(): Promise<LabelLexicon> {
  const entries = lexiconSchema.parse(parse(await readFile(new URL("labels.yaml", FOLDER), "utf8")));
  return Object.fromEntries(
    Object.entries(entries).map(([label, { aliases, definition, ...languages }]) => [
      label,
      { aliases, definition, languages: languages as LabelLexicon[string]["languages"] },
    ]),
  );
}

/** What may vary from draw to draw. */
export interface DrawOptions {
  /** Draws the order of the labels too. Default `true`. */
  readonly order?: boolean;
  /** Draws each label's word among it and its synonyms. Default `false`. */
  readonly synonyms?: boolean;
}

/** A prompt with the labels in the order and words drawn for it. */
export interface PromptDraw {
  readonly prompt: PromptDefinition;
  readonly labels: readonly LabelWord[];
}

/**
 * Draws a prompt variant for one example. The same seed and key (say `epoch:utterance`) give the same draw, in whatever order and on
 * whichever machine.
 */
export function drawPrompt(
  prompts: readonly PromptDefinition[],
  labels: readonly LabelWord[],
  seed: number | string,
  key: string | number,
  { order = true, synonyms = false }: DrawOptions = {},
): PromptDraw {
  const random = randomOf(seed, key);
  const prompt = prompts[Math.floor(random() * prompts.length)];
  if (prompt === undefined) throw new EmosllmError("prompt_invalid", "there is no prompt to draw from");
  const worded = synonyms ? labels.map((label) => drawWord(label, random)) : labels;
  return { prompt, labels: order ? shuffle(worded, random) : worded };
}

function drawWord(label: LabelWord, random: () => number): LabelWord {
  const words = [label.word, ...label.synonyms];
  const word = words[Math.floor(random() * words.length)] ?? label.word;
  return { ...label, word, synonyms: words.filter((other) => other !== word) };
}
