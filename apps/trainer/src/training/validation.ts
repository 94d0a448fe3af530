/** @file Validation while training: each task of a stage by its own figures. */
import { concordanceCorrelation } from "@emosllm/eval-metrics";
import { type Scorer, answerProbabilities } from "@emosllm/model";
import type { HostTensor } from "@emosllm/runtime";
import type { Task, TrainConfig } from "./config.ts";
import type { Sample } from "./data.ts";
import { evaluateSamples } from "./evaluate.ts";
import type { RunModel } from "./model.ts";
import { DIMENSIONS, DIMENSION_PROMPTS, LEVELS, type RowContext, TASK_DEFINITIONS, type TaskRow } from "./tasks.ts";

/** What validation needs. */
export interface ValidationContext {
  readonly config: TrainConfig;
  readonly model: RunModel;
  readonly rows: RowContext;
  readonly scorer: Scorer;
  readonly parameters: Readonly<Record<string, HostTensor>>;
}

type Figures = Record<string, number>;

/** Figures of the given tasks, named as in the log without their `eval_`: `ua`, `transcription_loss`, `valence_ccc`, ... A task that no sample fits is left out. */
export async function validate(
  tasks: readonly Task[],
  samples: readonly Sample[],
  context: ValidationContext,
): Promise<Figures> {
  const figures: Figures = {};
  for (const task of tasks) {
    const fitting = samples.filter(TASK_DEFINITIONS[task].fits);
    if (fitting.length > 0) Object.assign(figures, await VALIDATIONS[task](fitting, context));
  }
  return figures;
}

const VALIDATIONS: Readonly<
  Record<Task, (samples: readonly Sample[], context: ValidationContext) => Promise<Figures>>
> = {
  emotion: async (samples, { config, model, scorer, parameters }) => {
    const scoring = { ...model, scorer, parameters, batchSize: config.per_device_eval_batch_size };
    const result = await evaluateSamples(samples, scoring, { audio: true, transcript: true });
    const losses = result.answers.map((a) => -Math.log(a.probabilities[a.sample.label as string] as number));
    return { loss: mean(losses), ua: result.ua, wa: result.wa, macro_f1: result.macroF1 };
  },
  transcription: textLoss("transcription"),
  description: textLoss("description"),
  dimensional: async (samples, context) => {
    const figures: Figures = {};
    for (const dimension of DIMENSIONS) {
      const rated = samples.filter((s) => s.utterance[dimension] !== undefined);
      if (rated.length < 2) continue;
      const expected: number[] = [];
      await inBatches(rated, "dimensional", DIMENSION_PROMPTS[dimension], context, (scores) => {
        const p = answerProbabilities(scores, context.model.manifest.scoring);
        expected.push(p.reduce((sum, share, i) => sum + share * Number(LEVELS[i]), 0));
      });
      const truth = rated.map((s) => s.utterance[dimension] as number);
      figures[`${dimension}_ccc`] = concordanceCorrelation(truth, expected);
    }
    return figures;
  },
};

/** Mean negative log-likelihood of the right answer's tokens. */
function textLoss(
  task: "transcription" | "description",
): (samples: readonly Sample[], context: ValidationContext) => Promise<Figures> {
  return async (samples, context) => {
    const losses: number[] = [];
    await inBatches(samples, task, context.model.prompts[task][0] as RunModel["prompt"], context, ([tokens]) =>
      losses.push(...(tokens ?? []).map((t) => -t)),
    );
    return { [`${task}_loss`]: mean(losses) };
  };
}

async function inBatches(
  samples: readonly Sample[],
  task: Task,
  prompt: RunModel["prompt"],
  { config, model, rows: context, scorer, parameters }: ValidationContext,
  take: (scores: readonly (readonly number[])[]) => void,
): Promise<void> {
  for (let from = 0; from < samples.length; from += config.per_device_eval_batch_size) {
    const rows = await Promise.all(
      samples.slice(from, from + config.per_device_eval_batch_size).map(async (sample): Promise<TaskRow> => {
        const draw = {
          prompt,
          labels: model.labels,
          audio: true,
          transcript: sample.utterance.text,
          voice: sample.voice,
          frames: await sample.frames(),
        };
        return TASK_DEFINITIONS[task].row(sample, draw, context, true);
      }),
    );
    const scores = await scorer.score(
      rows.map((r) => r.row),
      parameters,
    );
    for (const s of scores) take(s);
  }
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
