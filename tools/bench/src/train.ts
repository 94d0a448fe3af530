/** @file `bench train`: one training step at random weights, the reference's flags and fields. */
import { openScorer, predictTrainingStep, sizesOf } from "@emosllm/model";
import { round, setUpTraining } from "./set-up.ts";

/** Runs the benchmark and gives its fields. */
export async function benchTrain(argv: readonly string[]): Promise<Record<string, unknown>> {
  if (argv.some((a) => a === "--against" || a.startsWith("--against=")))
    return (await import("./against-torch.ts")).benchAgainstTorch(argv);
  const { shape, precision, backward, steps, threads, device, parts, rows, batch, trainer, gradientCheckpointing } =
    await setUpTraining(argv);
  const train: number[] = [];
  const update: number[] = [];
  for (let i = 0; i < steps + 1; i++) {
    const start = performance.now();
    await trainer.accumulate(batch, true);
    const middle = performance.now();
    await trainer.update();
    train.push(performance.now() - start);
    update.push(performance.now() - middle);
  }
  const trainPeak = process.resourceUsage().maxRSS;
  await trainer.fetch("parameters");
  const parameters = trainer.parameters.tensors;
  const scorer = openScorer(parts, { threads, device });
  const infer: number[] = [];
  for (let i = 0; i < steps + 1; i++) {
    const start = performance.now();
    await scorer.score(rows, parameters);
    infer.push(performance.now() - start);
  }
  await scorer.dispose();
  await trainer.dispose();
  const step = Math.min(...train) / 1000;
  return {
    shape,
    ...(device === "cpu" ? {} : { device }),
    dtype: "float32",
    precision,
    ...(precision === "f32" ? {} : { backward }),
    batch: rows.length,
    tokens: batch.tokens,
    train_step_s: round(step),
    update_s: round(Math.min(...update) / 1000),
    infer_s: round(Math.min(...infer) / 1000),
    peak_rss_mib: Math.round(trainPeak / 1024),
    predicted_rss_mib: Math.round(
      predictTrainingStep(parts, sizesOf(batch), { gradientCheckpointing }).memory.peak / 2 ** 20,
    ),
    train_utterances_per_s: round(rows.length / step),
  };
}
