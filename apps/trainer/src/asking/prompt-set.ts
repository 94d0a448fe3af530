/** @file The ways of asking that a search or a sensitivity report covers, from the command line. */
import { EmosllmError } from "@emosllm/interfaces";
import {
  type PromptConfiguration,
  type PromptDefinition,
  type Slot,
  labelLexicon,
  loadPrompts,
  promptConfigurations,
  promptLibrary,
} from "@emosllm/prompts";
import { listArg, oneOf, wholeArg } from "../commands/_args.ts";

/** Arguments of the space. */
export const SPACE_ARGS = {
  prompts: {
    type: "string",
    description: "names or YAML files, separated by commas; default every curated emotion prompt of the language",
  },
  language: { type: "string", default: "en", description: "of the curated prompts" },
  variants: { type: "string", description: "at most so many prompts" },
  orders: { type: "string", default: "3", description: "label orders; the scheme's own is the first" },
  forms: { type: "string", default: "adjective,noun", description: "forms of the label words" },
  slots: {
    type: "string",
    default: "transcript,none",
    description: "sets of slots to fill, separated by commas: transcript, voice, transcript+voice, none",
  },
} as const;

const FORMS = ["adjective", "noun"] as const;
const FILLED = ["transcript", "voice"] as const;

/** Throws EmosllmError `usage`, `prompt_invalid`. */
export async function askedSpace(
  args: { readonly [K in "language" | "orders" | "forms" | "slots"]: string } & {
    readonly prompts?: string | undefined;
    readonly variants?: string | undefined;
  },
  labels: readonly string[],
  seed: number,
): Promise<PromptConfiguration[]> {
  const named = listArg(args.prompts);
  const found: PromptDefinition[] = named
    ? (
        await Promise.all(named.map((name) => (/\.ya?ml$/.test(name) ? loadPrompts(name) : promptLibrary({ name }))))
      ).flat()
    : await promptLibrary({ task: "emotion", language: args.language });
  const usable = found.filter((p) => p.task === "emotion");
  if (usable.length === 0)
    throw new EmosllmError("usage", `--prompts ${args.prompts}: none of them asks for an emotion without dialogue`);
  const prompts = args.variants === undefined ? usable : usable.slice(0, wholeArg("variants", args.variants, 1));
  const slots = (listArg(args.slots) ?? []).map((set): Slot[] =>
    set === "none" ? [] : set.split("+").map((slot) => oneOf("slots", slot, FILLED)),
  );
  return promptConfigurations({
    prompts,
    labels,
    lexicon: await labelLexicon(),
    forms: (listArg(args.forms) ?? []).map((form) => oneOf("forms", form, FORMS)),
    orders: wholeArg("orders", args.orders, 1),
    slots,
    seed,
  });
}
