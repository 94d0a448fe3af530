/** @file A model's answers to utterances with known labels, as the lines of `predictions.jsonl`. */
import { resolve } from "node:path";
import type { Utterance } from "@emosllm/interfaces";
import type { EmoSllm } from "@emosllm/model";
import { judgeInputs } from "../predict/judge.ts";
import type { PredictionInput } from "../predict/inputs.ts";

/** Options of {@link judgePart}. */
export interface JudgePartOptions {
  /** Give the model the words too. */
  readonly transcripts: boolean;
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
  { transcripts, batchSize, fold, onProgress, onBad }: JudgePartOptions,
): Promise<string[]> {
  const byId = new Map(utterances.map((u) => [u.id, u]));
  const inputs = async function* (): AsyncGenerator<PredictionInput> {
    for (const { id, audio, text } of utterances)
      yield { file: audio.path, id, audio, transcript: transcripts ? text : undefined };
  };
  const lines: string[] = [];
  let done = 0;
  for await (const judged of judgeInputs(model, inputs(), { batchSize })) {
    if ("error" in judged) onBad(judged.error.message);
    else {
      const { label, probabilities } = judged.answer;
      lines.push(predictionLine(byId.get(judged.input.id as string) as Utterance, label, probabilities, fold));
    }
    onProgress?.(++done);
  }
  return lines;
}

const predictionLine = (
  { id, label, audio, softLabel, speaker, gender, session, dialogue, corpus, text }: Utterance,
  prediction: string | null,
  probabilities: Readonly<Record<string, number>>,
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
    fold,
  });
