/**
 * @file From drawn rows to what the trainer is fed. The loss of a step is a mean over tasks, each weighted by its share of the step's rows;
 * within a task it is a weighted mean over answer tokens, or over rows where answers are scored against each other. It is taken over the
 * whole step, so that two batches accumulated are one batch of both, and a batch that is cut to a budget of tokens is still one.
 */
import { type BatchOptions, layOutBatch } from "@emosllm/model";
import {
  type TrainingBatch,
  answerWeights,
  rowWeight,
  scoredFeeds,
  tokenWeight,
  withinTokens,
} from "@emosllm/training";
import type { DrawnBatch } from "./batches.ts";
import type { Task } from "./config.ts";
import { type Rank, ownRows } from "./ranks.ts";
import type { TaskRow } from "./tasks.ts";

/** Lays the batches of one step out: the rows of this rank, weighted as parts of the whole step. */
export function stepBatches(
  drawn: readonly DrawnBatch[],
  sizes: Pick<BatchOptions, "vectors" | "audioSize">,
  collective: Rank = { rank: 0, size: 1 },
  maxTokens: number | null = null,
): TrainingBatch[] {
  const count = drawn.reduce((n, b) => n + b.rows.length, 0);
  const tasks = new Map<Task, { rows: number; weight: number }>();
  for (const { task, scored, rows } of drawn) {
    const sum = tasks.get(task) ?? { rows: 0, weight: 0 };
    for (const { row, targets } of rows) sum.weight += scored ? rowWeight(targets) : tokenWeight(targets, row.answers);
    sum.rows += rows.length;
    tasks.set(task, sum);
  }
  const parts = drawn.flatMap(({ task, scored, rows: all }) => {
    const rows = ownRows(all, collective);
    return (maxTokens === null ? [rows] : withinTokens(rows, maxTokens, rowTokens)).map((part) => ({
      task,
      scored,
      part,
    }));
  });
  return parts.map(({ task, scored, part: rows }) => {
    const { rows: taskRows, weight } = tasks.get(task) as { rows: number; weight: number };
    // All of a task's labels can have weight 0.
    const normaliser = weight === 0 ? 1 : (weight * count) / taskRows;
    const batch = layOutBatch(
      rows.map((r) => r.row),
      sizes,
    );
    const targets = rows.map((r) => r.targets);
    return {
      ...batch,
      scored,
      feeds: {
        ...batch.feeds,
        label_weights: answerWeights(batch.labels, scored ? [] : targets, normaliser),
        ...(scored ? scoredFeeds(batch.labels, targets, normaliser) : {}),
      },
    };
  });
}

/** Frames and tokens of a row: what it is padded by. */
const rowTokens = ({ row: { frames, before, after, answers } }: TaskRow): number =>
  (frames?.length ?? 0) + before.length + after.length + answers.reduce((n, a) => n + a.length, 0);
