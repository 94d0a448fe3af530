/** @file The space that a prompt search or a sensitivity report covers: every way to ask that says something of its own. */
import { promptHash, type PromptDefinition, type Slot } from "./definition.ts";
import { labelOrders, labelWords, type LabelLexicon, type LabelWord, type WordForm } from "./label-words.ts";
import type { SearchConfiguration } from "./search.ts";

/** One way to ask: a prompt, its labels in order and in words, and the slots that are filled. */
export interface PromptConfiguration extends SearchConfiguration {
  readonly prompt: PromptDefinition;
  readonly promptHash: string;
  readonly labels: readonly LabelWord[];
  readonly slots: readonly Slot[];
  /** The level of each factor, for {@link promptSensitivity}. */
  readonly factors: { readonly prompt: string; readonly words: string; readonly order: string; readonly slots: string };
}

/** What {@link promptConfigurations} combines. */
export interface ConfigurationSpace {
  readonly prompts: readonly PromptDefinition[];
  /** The scheme's labels. */
  readonly labels: readonly string[];
  readonly lexicon: LabelLexicon;
  /** Default: `adjective` and `noun`. */
  readonly forms?: readonly WordForm[];
  /** How many label orders; the scheme's own first. Default 2. */
  readonly orders?: number;
  /** Sets of slots to fill, beside audio and labels. Default: transcript and voice. */
  readonly slots?: readonly (readonly Slot[])[];
  readonly seed?: number | string;
}

/** Every combination of prompt, words, order and slots, without those that would ask the same. */
export function promptConfigurations(space: ConfigurationSpace): PromptConfiguration[] {
  const { prompts, labels, lexicon, forms = ["adjective", "noun"], orders = 2, seed = 0 } = space;
  const { slots = [["transcript", "voice"]] } = space;
  const found = new Map<string, PromptConfiguration>();
  for (const prompt of prompts)
    for (const form of forms)
      for (const order of labelOrders(labels, orders, seed))
        for (const set of slots) {
          const worded = new Map(
            labelWords(labels, lexicon, { language: prompt.language, form }).map((word) => [word.label, word]),
          );
          const inOrder = order.map((label) => worded.get(label) as LabelWord);
          const factors = {
            prompt: prompt.name,
            words: form,
            order: order.join(" "),
            slots: set.length === 0 ? "none" : [...set].sort().join("+"),
          };
          const asks = JSON.stringify([prompt.name, inOrder.map((l) => l.word), factors.slots]);
          if (found.has(asks)) continue;
          found.set(asks, {
            name: [prompt.name, form, `order:${order.join(",")}`, factors.slots].join(" / "),
            prompt,
            promptHash: promptHash(prompt),
            labels: inOrder,
            slots: [...set],
            factors,
          });
        }
  return [...found.values()];
}
