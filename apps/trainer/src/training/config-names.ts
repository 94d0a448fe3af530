/** @file Names in a config that stand for something elsewhere: a corpus, a scheme, a protocol, a prompt. Nothing of a corpus is read. */
import { CORPORA, corpusProtocol, emotionScheme, parseCorpus, PROTOCOLS, SCHEMES } from "@emosllm/datasets";
import { promptLibrary } from "@emosllm/prompts";
import type { TrainConfig } from "./config.ts";
import { nearestName } from "./nearest-name.ts";
import { isPromptFile, namedPrompts } from "./prompts-of.ts";

/** What is wrong with one value, or nothing. */
async function refusal(check: () => unknown): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Names that stand for nothing: path and message, which lists what there is and the nearest. */
export async function nameProblems(config: TrainConfig): Promise<[string, string][]> {
  const problems: [string, string][] = [];
  const look = async (path: string, value: unknown, known: readonly string[], check: () => unknown): Promise<void> => {
    const message = await refusal(check);
    if (message === undefined) return;
    const near = typeof value === "string" ? nearestName(value, known) : undefined;
    problems.push([path, near === undefined ? message : `${message}; did you mean ${near}?`]);
  };
  const corpora = [
    ["corpus", config.corpus],
    ...(config.stages ?? []).map((stage, i) => [`stages.${i}.corpus`, stage.corpus] as const),
  ] as const;
  for (const [path, corpus] of corpora)
    if (corpus !== undefined)
      await look(path, corpus.slice(0, corpus.indexOf(":")), Object.keys(CORPORA), () => parseCorpus(corpus));
  await look("scheme", config.scheme, Object.keys(SCHEMES), () => emotionScheme(config.scheme));
  // Without a corpus there is nothing to say of its protocols.
  if (!problems.some(([path]) => path === "corpus"))
    await look("protocol", config.protocol, Object.keys(PROTOCOLS), () =>
      corpusProtocol(parseCorpus(config.corpus), config.protocol),
    );
  const { prompt } = config;
  if (typeof prompt === "string" || Array.isArray(prompt)) {
    const library = (await promptLibrary()).map((p) => p.name);
    for (const [i, name] of [prompt].flat().entries())
      await look(Array.isArray(prompt) ? `prompt.${i}` : "prompt", isPromptFile(name) ? undefined : name, library, () =>
        namedPrompts(name),
      );
  } else
    await look("prompt.language", undefined, [], () => promptLibrary({ task: "emotion", language: prompt.language }));
  return problems;
}
