/**
 * @file One run on several processes (data-parallel). Every rank draws the whole step from the same streams and runs its share of each
 * batch's rows; gradients and losses are added up, so N ranks with a batch of B are one process with a batch of N*B. Rank 0
 * validates, tests and writes; the others hear from it what follows.
 */
import { availableParallelism } from "node:os";
import { EmosllmError } from "@emosllm/interfaces";
import { type Collective, type TensorStore, agree } from "@emosllm/training";
import type { TrainConfig } from "./config.ts";

/** Which rank of how many. */
export type Rank = Pick<Collective, "rank" | "size">;

/** The config with the batch of all ranks together in place of one's. */
export function globalBatch(config: TrainConfig, { size }: Rank): TrainConfig {
  if (size === 1) return config;
  const times = (n: number): number => n * size;
  return {
    ...config,
    per_device_train_batch_size: times(config.per_device_train_batch_size),
    ...(config.stages && {
      stages: config.stages.map((stage) =>
        stage.per_device_train_batch_size === undefined
          ? stage
          : { ...stage, per_device_train_batch_size: times(stage.per_device_train_batch_size) },
      ),
    }),
  };
}

/** The rows of a batch that this rank runs: consecutive ones, so that neighbours in order stay together. */
export const ownRows = <T>(rows: readonly T[], { rank, size }: Rank): readonly T[] =>
  rows.slice(Math.floor((rows.length * rank) / size), Math.floor((rows.length * (rank + 1)) / size));

/** Variables in which launchers say how many ranks there are on this machine. */
const LOCAL_RANKS = ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_TASKS_PER_NODE"] as const;

/** Threads for one rank: the machine's, shared among the ranks on it. */
export function threadsOf({ size }: Rank, env: Readonly<Record<string, string | undefined>> = process.env): number {
  if (size === 1) return availableParallelism();
  const local = LOCAL_RANKS.map((name) => Number.parseInt(env[name] ?? "", 10)).find((n) => n > 0) ?? size;
  return Math.max(1, Math.floor(availableParallelism() / local));
}

/** Throws EmosllmError `runtime_failed` when the ranks no longer hold the same weights. */
export async function checkAgreement(collective: Collective, { flat }: TensorStore, step: number): Promise<void> {
  if (collective.size > 1 && !(await agree(collective, flat)))
    throw new EmosllmError(
      "runtime_failed",
      `after step ${step} the ${collective.size} processes hold different weights; nothing was saved after the last checkpoint. ` +
        "Are they of one version, on processors of one kind?",
    );
}
