/** @file One step of training: rows are drawn, gradients added up over batches and processes, the values updated. */
import { type Device, hostTensor, keepsState } from "@emosllm/runtime";
import type { DrawnBatch } from "./batches.ts";
import { keepBadBatch } from "./bad-batch.ts";
import { checkpointSteps } from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import type { StageAtWork } from "./open-stage.ts";
import type { RunContext } from "./run-context.ts";
import type { Stage } from "./stages.ts";
import { stepBatches } from "./step-batches.ts";

/** What a step did. */
export interface StepDone {
  /** Of all processes. */
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly utterances: number;
}

/**
 * Throws EmosllmError `training_diverged` for a loss or a gradient that is no number, after the last good state was saved and the batch
 * written aside.
 */
export async function trainStep(run: RunContext, stage: Stage, work: StageAtWork): Promise<StepDone> {
  const { config, model, collective, streams } = run;
  const { trainer, source } = work;
  const settings = stage.config;
  const sizes = { vectors: model.parts.projector.vectors, audioSize: model.parts.audioSize };
  const before = work.now();
  const drawn: DrawnBatch[] = [];
  for (let micro = 0; micro < settings.gradient_accumulation_steps; micro++) drawn.push(await source.next());
  let loss = 0;
  for (const [micro, batch] of stepBatches(drawn, sizes, collective, settings.max_tokens).entries()) {
    const key = BigInt(Math.floor(streams.get(`${stage.prefix}lora dropout`).next() * 2 ** 31));
    const feeds = { ...batch.feeds, dropout_key: hostTensor("i64", [], BigInt64Array.of(key)) };
    loss += (await trainer.accumulate({ ...batch, feeds }, micro === 0)).loss;
  }
  await collective.sum(trainer.gradients.flat);
  if (collective.size > 1) {
    const total = Float32Array.of(loss);
    await collective.sum(total);
    loss = total[0] as number;
  }
  const seen = updateLooks(config, run.device) || allFinite(trainer.gradients.flat);
  const update = Number.isFinite(loss) && seen ? await trainer.update() : undefined;
  if (!update || (update.skipped && config.precision !== "f16")) {
    const last = (await checkpointSteps(config.output_dir)).includes(before.global_step);
    await trainer.fetch("parameters", "state");
    if (!last && before.global_step > 0) await work.save(before);
    const error = await keepBadBatch(config.output_dir, before, drawn, loss);
    await collective.barrier();
    throw error;
  }
  const { learningRate, gradNorm } = update;
  return { loss, learningRate, gradNorm, utterances: drawn.reduce((n, b) => n + b.rows.length, 0) };
}

/** With loss scaling gradients may overflow, which lowers the scale; on a device the update looks at them. */
const updateLooks = ({ precision }: TrainConfig, device: Device): boolean => keepsState(device) || precision === "f16";

/** Not a sum: that could overflow where every gradient is finite. */
function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}
