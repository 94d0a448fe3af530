/** @file Contextual calibration (Zhao et al. 2021, arXiv 2102.09690): what the prompt prefers without content is taken back. */
import { type Scorer, answerProbabilities, promptRow } from "@emosllm/model";
import { contentFreeValues, priorCorrection } from "@emosllm/prompts";
import type { HostTensor } from "@emosllm/runtime";
import type { RunModel } from "./model.ts";

/** The model with the bias in its manifest, measured with these values. */
export async function contentFreeCorrected(
  model: RunModel,
  scorer: Scorer,
  parameters: Readonly<Record<string, HostTensor>>,
): Promise<RunModel> {
  const { manifest, prompt, tokenizer } = model;
  const rows = contentFreeValues({}).map(({ transcript }) => {
    const words = typeof transcript === "string" ? { transcript } : {};
    return promptRow(prompt, tokenizer, manifest, words, undefined);
  });
  const scores = await scorer.score(rows, parameters);
  const bias = priorCorrection(scores.map((answers) => answerProbabilities(answers, manifest.scoring)));
  return { ...model, manifest: { ...manifest, scoring: { ...manifest.scoring, bias } } };
}
