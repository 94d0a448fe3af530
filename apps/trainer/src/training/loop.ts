/** @file The training loop: draw rows, accumulate gradients, update, say how it went. */
import { firstValues } from "@emosllm/lora";
import { type BatchRow, layOutBatch } from "@emosllm/model";
import { type EmoSllmTrainer, initialise, openEmoSllmTrainer, randomStream } from "@emosllm/training";
import type { TrainConfig } from "./config.ts";
import type { RunData, Sample } from "./data.ts";
import { sampleRow } from "./evaluate.ts";
import type { OnTrainEvent } from "./events.ts";
import type { RunModel } from "./model.ts";
import { runOptimiser } from "./optimiser.ts";
import { shuffledOrder } from "./order.ts";

/** What the loop leaves: the trainer with the trained values (dispose it), and how long it took. */
export interface TrainedModel {
  readonly trainer: EmoSllmTrainer;
  readonly trainSeconds: number;
}

/** Updates in all. */
export function totalSteps(config: TrainConfig, samples: number): number {
  if (config.max_steps > 0) return config.max_steps;
  const perStep = config.per_device_train_batch_size * config.gradient_accumulation_steps;
  return Math.ceil(Math.ceil(samples / perStep) * config.num_train_epochs);
}

/** Trains from first values to the last step. */
export async function trainModel(
  config: TrainConfig,
  data: Pick<RunData, "train" | "scheme">,
  model: RunModel,
  onEvent: OnTrainEvent,
): Promise<TrainedModel> {
  const { parts } = model;
  const { per_device_train_batch_size: batchSize, gradient_accumulation_steps: accumulation } = config;
  const total = totalSteps(config, data.train.length);
  const optimiser = runOptimiser(config, parts, total);
  const trainer = await openEmoSllmTrainer({ parts, optimiser: optimiser.transformation });
  const given = parts.adapter ? await firstValues(parts.adapter, model.base) : new Map();
  initialise(trainer.parameters, parts, config.seed, given);
  const order = shuffledOrder(data.train, randomStream(config.seed, "order"));
  const dropout = randomStream(config.seed, "transcript dropout");
  const trainingRow = async (sample: Sample): Promise<BatchRow> => {
    // Drawn before the first await, so that the order of the draws is the order of the samples.
    const transcript = dropout.next() >= config.transcript_dropout;
    const row = await sampleRow(sample, model, { audio: true, transcript });
    return { ...row, answers: [row.answers[data.scheme.labels.indexOf(sample.label)] ?? []] };
  };
  const start = performance.now();
  for (let step = 1; step <= total; step++) {
    let loss = 0;
    for (let micro = 0; micro < accumulation; micro++) {
      const rows = await Promise.all(order.take(batchSize).map(trainingRow));
      const labels = rows.reduce((n, r) => n + (r.answers[0] as readonly number[]).length, 0);
      const batch = layOutBatch(rows, {
        vectors: parts.projector.vectors,
        audioSize: parts.audioSize,
        labelWeights: () => 1 / (labels * accumulation),
      });
      loss += (await trainer.accumulate(batch, micro === 0)).loss;
    }
    const { gradNorm } = await trainer.update();
    const seconds = (performance.now() - start) / 1000;
    onEvent({
      type: "step",
      step,
      total,
      loss,
      learningRate: optimiser.rateAt(step),
      gradNorm,
      utterancesPerSecond: (step * batchSize * accumulation) / seconds,
      secondsLeft: (seconds / step) * (total - step),
    });
  }
  return { trainer, trainSeconds: (performance.now() - start) / 1000 };
}
