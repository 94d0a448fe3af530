/** @file Judges inputs in batches; what cannot be judged is reported and does not keep the others from being answered. */
import { EmosllmError } from "@emosllm/interfaces";
import type { EmoSllm, EmotionAnswer, EmotionInput } from "@emosllm/model";
import { type PredictionInput, inputSpeech } from "./inputs.ts";

/** An input with its answer, or why there is none. */
export type Judged = { readonly input: PredictionInput } & (
  | { readonly answer: EmotionAnswer }
  | { readonly error: EmosllmError }
);

/** Answers in the order of the inputs; at most `batchSize` clips are in memory. Errors other than EmosllmError are thrown. */
export async function* judgeInputs(
  model: EmoSllm,
  inputs: AsyncIterable<PredictionInput>,
  { batchSize }: { readonly batchSize: number },
): AsyncGenerator<Judged> {
  let batch: PredictionInput[] = [];
  for await (const input of inputs) {
    batch.push(input);
    if (batch.length < batchSize) continue;
    yield* await judgeBatch(model, batch);
    batch = [];
  }
  yield* await judgeBatch(model, batch);
}

async function judgeBatch(model: EmoSllm, batch: readonly PredictionInput[]): Promise<Judged[]> {
  const rate = model.manifest.front_end.sample_rate;
  const rows = await Promise.all(
    batch.map(async (input): Promise<EmotionInput | EmosllmError> => {
      try {
        return { audio: await inputSpeech(input, rate), transcript: input.transcript };
      } catch (error) {
        return ours(error);
      }
    }),
  );
  const heard = rows.filter((row): row is EmotionInput => !(row instanceof EmosllmError));
  const answers = heard.length === 0 ? [] : await model.score(heard).catch((error: unknown) => void ours(error));
  const results: Judged[] = [];
  let at = 0;
  for (const [i, row] of rows.entries()) {
    const input = batch[i] as PredictionInput;
    if (row instanceof EmosllmError) results.push({ input, error: row });
    else if (answers) results.push({ input, answer: answers[at++] as EmotionAnswer });
    else results.push(await judgeOne(model, input, row)); // one of the batch cannot be judged: find out which
  }
  return results;
}

async function judgeOne(model: EmoSllm, input: PredictionInput, row: EmotionInput): Promise<Judged> {
  try {
    return { input, answer: (await model.score([row]))[0] as EmotionAnswer };
  } catch (error) {
    const { code, message, cause } = ours(error);
    return { input, error: new EmosllmError(code, message.replace(/^input 0\b/, input.file), { cause }) };
  }
}

function ours(error: unknown): EmosllmError {
  if (error instanceof EmosllmError) return error;
  throw error;
}
