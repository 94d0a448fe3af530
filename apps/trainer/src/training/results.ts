/** @file `all_results.json`: written last, so that it also tells that a run is finished, and with what. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ConfusionMatrix } from "@emosllm/eval-metrics";
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { writeWhole } from "../write-whole.ts";
import type { TrainConfig } from "./config.ts";
import type { BadAudio } from "./frames.ts";
import type { Answered, Evaluation } from "./evaluate.ts";
import type { FinalTest } from "./final-test.ts";
import { metricsOf } from "./output.ts";

const FILE = "all_results.json";
type Scores = Pick<Evaluation, "ua" | "wa" | "macroF1"> & { readonly confusion: ConfusionMatrix };

/** What a finished run leaves. */
export interface SavedResults {
  readonly status: "finished";
  readonly global_step: number;
  readonly best_global_step: number | null;
  readonly train_seconds: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly evaluations: { readonly test: Scores; readonly audio_only: Scores; readonly text_only: Scores };
  readonly bad_audio: readonly BadAudio[];
  readonly config: TrainConfig;
}

const scores = ({ ua, wa, macroF1, confusion }: Evaluation): Scores => ({ ua, wa, macroF1, confusion });

/** Writes the results, whole or not at all. */
export async function writeResults(
  folder: string,
  test: FinalTest,
  rest: Omit<SavedResults, "status" | "metrics" | "evaluations">,
): Promise<void> {
  const evaluations = { test: scores(test.test), audio_only: scores(test.audioOnly), text_only: scores(test.textOnly) };
  const results: SavedResults = { status: "finished", ...rest, metrics: metricsOf(test), evaluations };
  await writeWhole(join(folder, FILE), `${JSON.stringify(results, null, 2)}\n`);
}

/** The results of a finished run; undefined when there is none. Throws EmosllmError `config_invalid` when the file is damaged. */
export async function readResults(folder: string): Promise<SavedResults | undefined> {
  const file = join(folder, FILE);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as SavedResults;
  } catch (cause) {
    throw new EmosllmError(
      "config_invalid",
      `${file} is not JSON: ${(cause as Error).message}; delete it to finish the run again`,
      { cause },
    );
  }
}

/** The test of a finished run as it was given; only the main test has its answers. */
export async function savedTest(folder: string, { evaluations, metrics }: SavedResults): Promise<FinalTest> {
  const text = await readFile(join(folder, "predictions.jsonl"), "utf8");
  const answers = text
    .trim()
    .split("\n")
    .map((line): Answered => {
      const { label, prediction, probabilities, ...utterance } = JSON.parse(line) as Utterance &
        Answered & { label: string };
      return { sample: { utterance, label }, prediction, probabilities };
    });
  return {
    test: { ...evaluations.test, answers },
    audioOnly: { ...evaluations.audio_only, answers: [] },
    textOnly: { ...evaluations.text_only, answers: [] },
    majorityWa: metrics["majority_wa"] as number,
  };
}
