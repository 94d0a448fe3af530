/** @file What the routes share: the pool, the models in it, options, metrics. */
import { ServiceError } from "./errors.ts";
import type { ByteBudget } from "./http/body.ts";
import type { Metrics } from "./observe/metrics.ts";
import type { Traces } from "./observe/traces.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Answered, Pool } from "./pool/pool.ts";
import type { BundleSpec, GenerateChunk, ModelInfo, TaskKind, Tasks } from "./pool/tasks.ts";
import type { Call } from "./http/route.ts";

/** The server behind its routes. */
export interface Service {
  readonly options: ResolvedOptions;
  readonly pool: Pool;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly budget: ByteBudget;
  /** The bundles that are served; a reload changes them. */
  bundles: readonly BundleSpec[];
  /** The server is about to end: balancers are told, connections are not kept. */
  stopping: boolean;
}

/** The model that a caller chose, or the first. Throws `model_not_found` listing what there is. */
export function chooseModel({ pool }: Service, wanted: string | undefined): ModelInfo {
  const { models } = pool;
  const found = wanted === undefined ? models[0] : models.find((m) => m.id === wanted);
  if (found) return found;
  throw new ServiceError(
    "model_not_found",
    `There is no model '${(wanted ?? "").slice(0, 100)}'. There are: ${models.map((m) => m.id).join(", ")}.`,
    { param: "model" },
  );
}

/** Asks a model process on behalf of a call. */
export async function ask<K extends TaskKind>(
  { service, signal, facts, trace }: Pick<Call, "service" | "signal" | "facts" | "trace">,
  model: ModelInfo,
  kind: K,
  input: Tasks[K]["input"],
  onChunk?: (chunk: GenerateChunk) => void,
): Promise<Answered<K>> {
  facts.model = model.id;
  const answered = await service.pool.submit(model.id, kind, input, {
    signal,
    deadlineMs: service.options.deadlineMs,
    onChunk,
  });
  facts.batchSize = answered.batch.size;
  service.traces.batch(trace, model.id, answered.batch);
  return answered;
}
