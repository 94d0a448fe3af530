/** @file Health, readiness, metrics, models, reload: what operators and balancers ask. */
import type { z } from "zod";
import { ServiceError } from "../errors.ts";
import { parseJson, validate } from "../http/body.ts";
import { type Route, json } from "../http/route.ts";
import type { ModelInfo } from "../pool/tasks.ts";
import { healthSchema, modelListSchema, modelSchema, readySchema, reloadRequestSchema } from "../schemas.ts";
import { type Service, chooseModel } from "../service.ts";

const modelObject = (m: ModelInfo): z.output<typeof modelSchema> => ({
  id: m.id,
  object: "model",
  created: m.created,
  owned_by: "emosllm",
  labels: [...m.labels],
  scheme: m.scheme,
  base_model: m.baseModel,
  front_end: m.frontEnd,
  sample_rate: m.sampleRate,
  parent: m.parent,
  revision: m.revision,
  tasks: [...m.tasks],
});

/** Whether requests are taken, and why not. */
export function readiness({ pool, stopping }: Service): { ready: boolean; body: z.output<typeof readySchema> } {
  const { ready, queued } = pool.status;
  const status = stopping ? "draining" : ready > 0 ? "ready" : "starting";
  return { ready: status === "ready", body: { status, processes: ready, queued } };
}

export const operationRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/healthz",
    access: "open",
    summary: "Whether the server lives.",
    answer: { type: "application/json", schema: healthSchema },
    handle: () => json({ status: "ok" }),
  },
  {
    method: "GET",
    path: "/readyz",
    access: "open",
    summary: "Whether the server takes requests; 503 while it starts or drains.",
    answer: { type: "application/json", schema: readySchema },
    handle({ service }) {
      const { ready, body } = readiness(service);
      return json(body, { status: ready ? 200 : 503 });
    },
  },
  {
    method: "GET",
    path: "/metrics",
    access: "open",
    summary: "Numbers for Prometheus.",
    answer: { type: "text/plain" },
    handle: async ({ service: { metrics } }) =>
      new Response(await metrics.text(), { headers: { "content-type": metrics.contentType } }),
  },
  {
    method: "GET",
    path: "/v1/models",
    access: "key",
    summary: "The models that may be chosen by `model`; the first is the default.",
    answer: { type: "application/json", schema: modelListSchema },
    handle: ({ service }) => json({ object: "list", data: service.pool.models.map(modelObject) }),
  },
  {
    method: "GET",
    path: "/v1/models/:model",
    access: "key",
    summary: "One model.",
    answer: { type: "application/json", schema: modelSchema },
    handle: ({ service, params }) => json(modelObject(chooseModel(service, params["model"]))),
  },
  {
    method: "POST",
    path: "/admin/reload",
    access: "admin",
    summary: "Reads the bundles again, or others, without losing a request.",
    body: [{ type: "application/json", schema: reloadRequestSchema }],
    answer: { type: "application/json", schema: modelListSchema },
    async handle(call) {
      const { service } = call;
      const bytes = await call.body();
      const wanted =
        bytes.length === 0 ? {} : validate(reloadRequestSchema, parseJson(bytes, service.options.limits.jsonDepth));
      const bundles = wanted.bundles
        ? Object.entries(wanted.bundles).map(([id, folder]) => ({ id, folder }))
        : service.bundles;
      return json({ object: "list", data: (await reload(service, bundles)).map(modelObject) });
    },
  },
];

/** Serves `bundles` from now on. Throws `reload_failed` when they cannot be loaded; the present ones are served on then. */
export async function reload(service: Service, bundles: Service["bundles"]): Promise<readonly ModelInfo[]> {
  if (bundles.length === 0)
    throw new ServiceError("invalid_request", "bundles: at least one is needed", { param: "bundles" });
  try {
    const models = await service.pool.reload(bundles);
    service.bundles = bundles;
    return models;
  } catch (cause) {
    throw new ServiceError("reload_failed", `The bundles were not loaded: ${(cause as Error).message}`, { cause });
  }
}
