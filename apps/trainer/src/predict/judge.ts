/** @file Judges inputs in batches; what cannot be judged is reported and does not keep the others from being answered. */
import { EmosllmError } from "@emosllm/interfaces";
import type { EmoSllm, EmotionAnswer, EmotionInput } from "@emosllm/model";
import { type PredictionInput, inputSpeech } from "./inputs.ts";

/** An input with its answer, or why there is none. */
export type Judged = { readonly input: PredictionInput } & (Answered | { readonly error: EmosllmError });

interface Answered {
  readonly answer: EmotionAnswer;
  /** What the model writes down, when asked to. */
  readonly hypothesis?: string;
}

/** Options of {@link judgeInputs}. */
export interface JudgeOptions {
  readonly batchSize: number;
  /** Write down too what is said, from the sound alone. */
  readonly transcribe?: boolean | undefined;
}

/** Answers in the order of the inputs; at most `batchSize` clips are in memory. Errors other than EmosllmError are thrown. */
export async function* judgeInputs(
  model: EmoSllm,
  inputs: AsyncIterable<PredictionInput>,
  { batchSize, transcribe = false }: JudgeOptions,
): AsyncGenerator<Judged> {
  let batch: PredictionInput[] = [];
  for await (const input of inputs) {
    batch.push(input);
    if (batch.length < batchSize) continue;
    yield* await judgeBatch(model, batch, transcribe);
    batch = [];
  }
  yield* await judgeBatch(model, batch, transcribe);
}

async function judgeBatch(model: EmoSllm, batch: readonly PredictionInput[], transcribe: boolean): Promise<Judged[]> {
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
  const judge = async (inputs: readonly EmotionInput[]): Promise<Answered[]> => {
    const answers = await model.score(inputs);
    if (!transcribe) return answers.map((answer) => ({ answer }));
    const written = await model.generate(inputs.map(({ audio }) => (audio === undefined ? {} : { audio })));
    return answers.map((answer, i) => ({ answer, hypothesis: written[i]?.text.trim() ?? "" }));
  };
  const answers = heard.length === 0 ? [] : await judge(heard).catch((error: unknown) => void ours(error));
  const results: Judged[] = [];
  let at = 0;
  for (const [i, row] of rows.entries()) {
    const input = batch[i] as PredictionInput;
    if (row instanceof EmosllmError) results.push({ input, error: row });
    else if (answers) results.push({ input, ...(answers[at++] as Answered) });
    else results.push(await judgeOne(judge, input, row)); // one of the batch cannot be judged: find out which
  }
  return results;
}

async function judgeOne(
  judge: (inputs: readonly EmotionInput[]) => Promise<Answered[]>,
  input: PredictionInput,
  row: EmotionInput,
): Promise<Judged> {
  try {
    return { input, ...((await judge([row]))[0] as Answered) };
  } catch (error) {
    const { code, message, cause } = ours(error);
    return { input, error: new EmosllmError(code, message.replace(/^input 0\b/, input.file), { cause }) };
  }
}

function ours(error: unknown): EmosllmError {
  if (error instanceof EmosllmError) return error;
  throw error;
}
