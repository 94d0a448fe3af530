/** @file The prompts that a config names: of the library, or of YAML files of the user's own. */
import { EmosllmError } from "@emosllm/interfaces";
import { loadPrompts, type PromptDefinition, promptLibrary } from "@emosllm/prompts";
import type { TrainConfig } from "./config.ts";

/** Whether `prompt` names a file rather than a prompt of the library. */
export const isPromptFile = (name: string): boolean => /\.ya?ml$/i.test(name);

/** A prompt of the library, or the emotion prompts of a YAML file. Throws EmosllmError `prompt_invalid`. */
export async function namedPrompts(name: string): Promise<PromptDefinition[]> {
  if (!isPromptFile(name)) return promptLibrary({ name });
  const prompts = (await loadPrompts(name)).filter((p) => p.task === "emotion");
  if (prompts.length === 0) throw new EmosllmError("prompt_invalid", `${name} holds no prompt of task emotion`);
  return prompts;
}

/** The emotion prompts to draw from, in the config's order. Throws EmosllmError `prompt_invalid`. */
export async function emotionPrompts({ prompt }: TrainConfig): Promise<PromptDefinition[]> {
  if (typeof prompt !== "string" && !Array.isArray(prompt))
    return promptLibrary({ task: "emotion", language: prompt.language });
  return (await Promise.all([prompt].flat().map(namedPrompts))).flat();
}
