/** @file Scores samples with the model as it stands and measures the answers. */
import {
  type ConfusionMatrix,
  accuracy,
  confusionMatrix,
  macroF1,
  unweightedAverageRecall,
} from "@emosllm/eval-metrics";
import type { BundleManifest } from "@emosllm/interfaces";
import { type BatchRow, type Scorer, answerProbabilities, promptRow } from "@emosllm/model";
import type { PromptDefinition, Tokenizer } from "@emosllm/prompts";
import type { HostTensor } from "@emosllm/runtime";
import type { Sample } from "./data.ts";

/** Which of its inputs the model is given. */
export interface Inputs {
  readonly audio: boolean;
  readonly transcript: boolean;
}

/** What is needed to score. */
export interface ScoringContext {
  readonly scorer: Scorer;
  readonly parameters: Readonly<Record<string, HostTensor>>;
  readonly prompt: PromptDefinition;
  readonly tokenizer: Tokenizer;
  readonly manifest: Pick<BundleManifest, "labels" | "scoring">;
  readonly batchSize: number;
}

/** One answered sample. */
export interface Answered {
  readonly sample: Pick<Sample, "utterance" | "label">;
  readonly prediction: string;
  readonly probabilities: Readonly<Record<string, number>>;
}

/** Answers and what they are worth. */
export interface Evaluation {
  readonly answers: readonly Answered[];
  readonly confusion: ConfusionMatrix;
  readonly ua: number;
  readonly wa: number;
  readonly macroF1: number;
}

/** The row of a sample with the given inputs. */
export async function sampleRow(
  sample: Sample,
  { prompt, tokenizer, manifest }: Pick<ScoringContext, "prompt" | "tokenizer" | "manifest">,
  inputs: Inputs,
): Promise<BatchRow> {
  const { text } = sample.utterance;
  const words = {
    transcript: inputs.transcript ? text : undefined,
    // What is said of the voice comes from the sound.
    voice: inputs.audio ? sample.voice : undefined,
    context: inputs.transcript ? sample.context : [],
  };
  return promptRow(prompt, tokenizer, manifest, words, inputs.audio ? await sample.frames() : undefined);
}

/** Scores every sample. Clips of like length go together, which changes no answer. */
export async function evaluateSamples(
  samples: readonly Sample[],
  context: ScoringContext,
  inputs: Inputs,
): Promise<Evaluation> {
  const labels = context.manifest.labels.words.map((w) => w.label);
  const ordered = samples.map((sample, i) => ({ sample, i })).sort((a, b) => a.sample.length - b.sample.length);
  const answers: Answered[] = Array.from({ length: samples.length });
  for (let from = 0; from < ordered.length; from += context.batchSize) {
    const part = ordered.slice(from, from + context.batchSize);
    const rows = await Promise.all(part.map(({ sample }) => sampleRow(sample, context, inputs)));
    const scores = await context.scorer.score(rows, context.parameters);
    part.forEach(({ sample, i }, k) => {
      const p = answerProbabilities(scores[k] ?? [], context.manifest.scoring);
      answers[i] = {
        sample,
        prediction: labels[p.indexOf(Math.max(...p))] as string,
        probabilities: Object.fromEntries(labels.map((label, j) => [label, p[j] as number])),
      };
    });
  }
  const confusion = confusionMatrix(
    answers.map((a) => a.sample.label as string),
    answers.map((a) => a.prediction),
    { labels },
  );
  return {
    answers,
    confusion,
    ua: unweightedAverageRecall(confusion),
    wa: accuracy(confusion),
    macroF1: macroF1(confusion),
  };
}
