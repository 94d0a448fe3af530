/** @file `emosllm predict --task transcribe|describe`: what the model writes about each input, one line as each is done. */
import { EmosllmError } from "@emosllm/interfaces";
import type { EmoSllm, WritingTask } from "@emosllm/model";
import { linesOut } from "../lines-out.ts";
import { inputSpeech, predictionInputs } from "./inputs.ts";

/** How answers are written. */
export interface WriteAnswersOptions {
  readonly json: boolean;
  /** The file to write; stdout without. */
  readonly out?: string | undefined;
  /** An input that cannot be read or heard; the others go on. */
  readonly onError: (error: EmosllmError) => void;
}

/** Gives the exit code. Errors other than EmosllmError are thrown. */
export async function writeAnswers(
  model: EmoSllm,
  words: readonly string[],
  task: WritingTask,
  { json, out, onError }: WriteAnswersOptions,
): Promise<number> {
  let failed = 0;
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof EmosllmError)) throw error;
      failed++;
      onError(error);
    }
  };
  const writeAll = async (write: (line: string) => Promise<void>): Promise<void> => {
    for (const word of words)
      await attempt(async () => {
        for await (const input of predictionInputs([word]))
          await attempt(async () => {
            const audio = await inputSpeech(input, model.manifest.front_end.sample_rate);
            const [written] = await model.generate([{ audio }], { task });
            if (!written) return;
            const { file, id } = input;
            const text = written.text.trim();
            const line = {
              file,
              ...(id === undefined ? {} : { id }),
              task,
              text,
              finish_reason: written.finish_reason,
            };
            await write(json ? JSON.stringify(line) : `${file}: ${text}`);
          });
      });
  };
  await linesOut(out, writeAll);
  return failed > 0 ? 1 : 0;
}
