/** @file The test at the end: with everything, with sound alone, with words alone, and what always giving one answer is worth. */
import type { Scorer } from "@emosllm/model";
import type { HostTensor } from "@emosllm/runtime";
import type { TrainConfig } from "./config.ts";
import type { RunData, Sample } from "./data.ts";
import { type Evaluation, type Inputs, type ScoringContext, evaluateSamples } from "./evaluate.ts";
import type { OnTrainEvent } from "./events.ts";
import type { RunModel } from "./model.ts";

/** Results on the test part. */
export interface FinalTest {
  readonly test: Evaluation;
  readonly audioOnly: Evaluation;
  readonly textOnly: Evaluation;
  /** Accuracy of always answering with the training part's most frequent label. */
  readonly majorityWa: number;
}

/** Tests the given values. */
export async function finalTest(
  config: TrainConfig,
  data: Pick<RunData, "train" | "test">,
  model: RunModel,
  scorer: Scorer,
  parameters: Readonly<Record<string, HostTensor>>,
  onEvent: OnTrainEvent,
): Promise<FinalTest> {
  const scoring: ScoringContext = { ...model, scorer, parameters, batchSize: config.per_device_eval_batch_size };
  const measure = async (name: string, inputs: Inputs): Promise<Evaluation> => {
    const result = await evaluateSamples(data.test, scoring, inputs);
    onEvent({ type: "evaluate", name, ua: result.ua, wa: result.wa });
    return result;
  };
  return {
    test: await measure("audio and words", { audio: true, transcript: true }),
    audioOnly: await measure("audio alone", { audio: true, transcript: false }),
    textOnly: await measure("words alone", { audio: false, transcript: true }),
    majorityWa: majorityShare(data.train, data.test),
  };
}

function majorityShare(train: readonly Sample[], test: readonly Sample[]): number {
  const counts = new Map<string, number>();
  for (const { label } of train) if (label !== undefined) counts.set(label, (counts.get(label) ?? 0) + 1);
  const top = [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
  return test.filter((s) => s.label === top).length / test.length;
}
