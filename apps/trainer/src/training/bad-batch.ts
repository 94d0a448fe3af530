/** @file A batch whose loss or gradients are no numbers, written aside for whoever looks into it. */
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { writeWhole } from "../write-whole.ts";
import type { DrawnBatch } from "./batches.ts";
import { checkpointName } from "./checkpoint.ts";
import type { TrainerState } from "./trainer-state.ts";

/** Writes `bad-batch-STEP.json` (which utterances, prompts, token ids, and the range of the frames) and gives the error to throw. */
export async function keepBadBatch(
  folder: string,
  { global_step: last }: TrainerState,
  drawn: readonly DrawnBatch[],
  loss: number,
): Promise<EmosllmError> {
  const file = join(folder, `bad-batch-${last + 1}.json`);
  const batches = drawn.map(({ task, prompt, rows, samples }) => ({
    task,
    prompt,
    rows: rows.map(({ row, targets }, i) => ({
      id: samples[i]?.utterance.id,
      audio: samples[i]?.utterance.audio.path,
      label: samples[i]?.label,
      targets,
      before: row.before,
      after: row.after,
      answers: row.answers,
      frames: row.frames && { length: row.frames.length, ...rangeOf(row.frames.data) },
    })),
  }));
  await writeWhole(file, `${JSON.stringify({ step: last + 1, loss: String(loss), batches }, null, 1)}\n`);
  const kept = last > 0 ? `the last good state is ${join(folder, checkpointName(last))}` : "nothing was trained yet";
  return new EmosllmError(
    "training_diverged",
    `step ${last + 1}: the loss is ${loss}${Number.isFinite(loss) ? " and a gradient is not finite" : ""}; ${kept}, the batch is in ${file}. Try a lower learning_rate or max_grad_norm, or a longer warm-up`,
    { details: { step: last + 1, file } },
  );
}

function rangeOf(values: Float32Array): Record<string, number> {
  let [min, max, notFinite] = [Infinity, -Infinity, 0];
  for (const v of values) {
    if (!Number.isFinite(v)) notFinite++;
    else {
      min = Math.min(min, v);
      max = Math.max(max, v);
    }
  }
  return { min, max, not_finite: notFinite };
}
