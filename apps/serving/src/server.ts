/** @file The server as a library: requests in, answers out, with or without a socket. */
import { readFileSync } from "node:fs";
import { type Fetch, createApp } from "./http/app.ts";
import { byteBudget } from "./http/body.ts";
import type { Route } from "./http/route.ts";
import { createMetrics } from "./observe/metrics.ts";
import { NO_TRACES, createTraces } from "./observe/traces.ts";
import { type ServerEvent, type ServerOptions, resolveOptions } from "./options.ts";
import { type PoolStatus, openPool } from "./pool/pool.ts";
import type { BundleSpec, ModelInfo } from "./pool/tasks.ts";
import { emotionsRoute } from "./routes/emotions.ts";
import { kserveRoutes } from "./routes/kserve.ts";
import { openAiRoutes } from "./routes/openai.ts";
import { docsRoutes } from "./routes/openapi.ts";
import { operationRoutes, reload } from "./routes/operations.ts";
import { pageRoutes } from "./routes/page.ts";
import type { Service } from "./service.ts";

/** A server whose models are loaded. Close it. */
export interface Server extends AsyncDisposable {
  /** Answers a request in this process. */
  readonly fetch: Fetch;
  readonly models: readonly ModelInfo[];
  readonly status: PoolStatus;
  /** Reads the bundles again, or others. Throws ServiceError `reload_failed`; the present ones are served on then. */
  reload(bundles?: readonly BundleSpec[]): Promise<readonly ModelInfo[]>;
  /** Refuses new work and resolves when everything that was accepted is answered. */
  drain(): Promise<void>;
  close(): Promise<void>;
  readonly service: Service;
}

/** The version that the description and the docs page name. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;

/**
 * Loads the bundles in processes of their own and gives a server over them.
 *
 * @example
 * await using server = await createServer({ bundles: [{ id: "demo", folder: "runs/demo/best" }] });
 * const answer = await server.fetch(new Request("http://localhost/v1/audio/emotions", { method: "POST", body: wav }));
 * (await answer.json()).label; // "happy"
 *
 * Throws EmosllmError `bundle_invalid`, `checkpoint_*` for bundles that cannot be loaded, RangeError for options out of range.
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const resolved = resolveOptions(options);
  let service: Service | undefined;
  const onEvent = (event: ServerEvent): void => resolved.onEvent(event);
  const pool = await openPool({
    ...resolved,
    onEvent(event) {
      service?.metrics.poolEvent(event);
      onEvent(event);
    },
  });
  const budget = byteBudget(resolved.limits.heldBytes);
  const made: Service = {
    options: resolved,
    pool,
    budget,
    metrics: createMetrics(
      () => pool.status,
      () => budget.held,
    ),
    traces: resolved.traces ? createTraces(resolved.traces, VERSION, onEvent) : NO_TRACES,
    bundles: resolved.bundles,
    stopping: false,
  };
  service = made;
  const routes: readonly Route[] = [
    emotionsRoute,
    ...openAiRoutes,
    ...operationRoutes,
    ...kserveRoutes,
    ...pageRoutes(),
  ];
  const close = async (): Promise<void> => {
    await pool.close();
    await made.traces.flush();
  };
  return {
    fetch: createApp([...routes, ...docsRoutes(routes, VERSION)], made),
    service: made,
    get models() {
      return pool.models;
    },
    get status() {
      return pool.status;
    },
    reload: (bundles = made.bundles) => reload(made, bundles),
    drain() {
      made.stopping = true;
      return pool.drain();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
