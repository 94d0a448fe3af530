/** @file A model's answers to utterances with known labels, as the lines of `predictions.jsonl`. */
import { resolve } from "node:path";
import type { Utterance } from "@emosllm/interfaces";
import type { EmoSllm, EmotionAnswer } from "@emosllm/model";
import { judgeInputs } from "../predict/judge.ts";
import type { PredictionInput } from "../predict/inputs.ts";

/** Options of {@link judgePart}. */
export interface JudgePartOptions {
  /** Give the model the words too. */
  readonly transcripts: boolean;
  /** Have it write the words down too. */
  readonly transcribe?: boolean | undefined;
  readonly batchSize: number;
  /** Written into each line. */
  readonly fold?: number | undefined;
  readonly onProgress?: (done: number) => void;
  /** Told of each clip that cannot be judged. */
  readonly onBad: (message: string) => void;
}

/** Lines in the order of the utterances, without those that cannot be judged. */
export async function judgePart(
  model: EmoSllm,
  utterances: readonly Utterance[],
  { transcripts, transcribe, batchSize, fold, onProgress, onBad }: JudgePartOptions,
): Promise<string[]> {
  const byId = new Map(utterances.map((u) => [u.id, u]));
  const inputs = async function* (): AsyncGenerator<PredictionInput> {
    for (const { id, audio, text } of utterances)
      yield { file: audio.path, id, audio, transcript: transcripts ? text : undefined };
  };
  const lines: string[] = [];
  let done = 0;
  for await (const judged of judgeInputs(model, inputs(), { batchSize, transcribe })) {
    if ("error" in judged) onBad(judged.error.message);
    else {
      const utterance = byId.get(judged.input.id as string) as Utterance;
      lines.push(predictionLine(utterance, judged.answer, judged.hypothesis, fold));
    }
    onProgress?.(++done);
  }
  return lines;
}

const predictionLine = (
  { id, label, audio, softLabel, speaker, gender, session, dialogue, corpus, text }: Utterance,
  { label: prediction, probabilities }: EmotionAnswer,
  hypothesis: string | undefined,
  fold: number | undefined,
): string =>
  JSON.stringify({
    id,
    label,
    prediction,
    probabilities,
    ...(softLabel === undefined ? {} : { soft_label: softLabel }),
    audio: { ...audio, path: resolve(audio.path) },
    speaker,
    gender,
    session,
    dialogue,
    corpus,
    text,
    // Names of the metrics: they are compared where both are there.
    ...(hypothesis === undefined ? {} : { reference: text, hypothesis }),
    fold,
  });
