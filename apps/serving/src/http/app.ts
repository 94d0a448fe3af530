/** @file The route table behind Hono: ids, keys, rates, origins, errors, headers, metrics, each in one place. */
import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { ServiceError, errorBody, toServiceError } from "../errors.ts";
import { type ApiKey, bearer, keyFinder } from "../security/keys.ts";
import { addCorsHeaders, addSecurityHeaders, checkOrigin, preflight } from "../security/headers.ts";
import { rateLimiter } from "../security/rate-limit.ts";
import type { Service } from "../service.ts";
import { type ReadBody, readBody } from "./body.ts";
import type { Call, CallFacts, Route } from "./route.ts";

/** Node's own request, where there is a socket. */
export interface SocketInfo {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string | undefined } };
}

/** Answers a request. */
export type Fetch = (request: Request, env?: SocketInfo) => Promise<Response>;

/** Probes and pages would drown the rest. */
const TRACED: ReadonlySet<Route["access"]> = new Set(["key", "admin"]);

const ID = /^[\w.:-]{1,128}$/;

/** What a request is called in its answer, in logs and to its caller's support. */
export const requestId = (request: Pick<Request, "headers">): string => {
  const given = request.headers.get("x-request-id");
  return given !== null && ID.test(given) ? given : randomUUID();
};

/** Who calls, checked against a route's access. Throws `unauthorized`, `forbidden`. */
export function gatekeeper(
  keys: readonly ApiKey[],
): (access: Route["access"], presented: string | undefined) => ApiKey | undefined {
  const find = keyFinder(keys);
  return (access, presented) => {
    const key = presented === undefined ? undefined : find(presented);
    if (access === "open" || (access === "key" && keys.length === 0)) return key;
    if (access === "admin" && !keys.some((k) => k.admin))
      throw new ServiceError("forbidden", "This server has no admin key, so its admin routes are closed.");
    if (!key)
      throw new ServiceError(
        "unauthorized",
        presented === undefined
          ? "A key is needed: Authorization: Bearer KEY."
          : "The key is not known to this server.",
      );
    if (access === "admin" && !key.admin)
      throw new ServiceError("forbidden", "This key may not administer the server.");
    return key;
  };
}

/** Serves `routes`. */
export function createApp(routes: readonly Route[], service: Service): Fetch {
  const { options, metrics, budget, traces } = service;
  const admit = gatekeeper(options.keys);
  const limit = rateLimiter(options.requestsPerMinute);
  const app = new Hono<{ Bindings: SocketInfo }>();

  async function serve(
    route: Route | undefined,
    request: Request,
    env: SocketInfo,
    params: Record<string, string>,
    error?: unknown,
  ): Promise<Response> {
    const started = performance.now();
    const id = requestId(request);
    const facts: CallFacts = {};
    const trace = route && TRACED.has(route.access) ? traces.begin(request.headers.get("traceparent")) : undefined;
    const held: ReadBody[] = [];
    const name = route?.path ?? "other";
    let key: ApiKey | undefined;
    let failure: ServiceError | undefined;
    let response: Response;
    metrics.requestStarted();
    try {
      if (error !== undefined) throw error;
      if (!route)
        throw new ServiceError(
          "not_found",
          `There is no route ${request.method} ${new URL(request.url).pathname.slice(0, 200)}.`,
        );
      if (request.method === "POST" || route.access !== "open") checkOrigin(request, options.corsOrigins);
      key = admit(route.access, bearer(request.headers.get("authorization")));
      if (route.access !== "open") {
        const rate = limit(key?.sha256 ?? env.incoming?.socket?.remoteAddress ?? "local");
        if (rate && !rate.allowed)
          throw new ServiceError("rate_limited", `More than ${rate.limit} requests in a minute.`, {
            retryAfter: rate.retryAfter,
          });
      }
      const call: Call = {
        request,
        service,
        id,
        params,
        query: Object.fromEntries(new URL(request.url).searchParams),
        started,
        signal: request.signal,
        trace,
        facts,
        async body() {
          const read = await readBody(request, options.limits, budget);
          held.push(read);
          return read.bytes;
        },
      };
      response = await route.handle(call);
    } catch (thrown) {
      failure = toServiceError(thrown);
      response = errorResponse(failure, id);
      if (failure.code === "internal") {
        const cause = failure.cause instanceof Error ? failure.cause : failure;
        options.onEvent({ type: "error", id, message: cause.message, stack: cause.stack });
      }
    } finally {
      for (const read of held) read.release();
    }
    finishHeaders(response.headers, request, id);
    const ms = performance.now() - started;
    metrics.requestDone({ route: name, method: request.method, status: response.status }, ms / 1000);
    traces.end(trace, {
      name: `${request.method} ${name}`,
      started,
      status: response.status,
      attributes: {
        "http.request.method": request.method,
        "http.route": name,
        "error.type": failure?.code,
        "emosllm.request_id": id,
        "emosllm.model": facts.model,
        "emosllm.audio_seconds": facts.audioSeconds,
        "emosllm.batch_size": facts.batchSize,
      },
    });
    options.onEvent({
      type: "request",
      id,
      method: request.method,
      route: name,
      status: response.status,
      code: failure?.code,
      ms: Math.round(ms * 100) / 100,
      key: key?.name,
      model: facts.model,
      audioSeconds: facts.audioSeconds,
      batchSize: facts.batchSize,
      trace: trace?.traceId,
    });
    return response;
  }

  function finishHeaders(headers: Headers, request: Request, id: string): void {
    headers.set("x-request-id", id);
    addCorsHeaders(headers, request.headers.get("origin"), options.corsOrigins);
    addSecurityHeaders(headers);
    if (service.stopping) headers.set("connection", "close");
  }

  for (const route of routes)
    app.on(route.method, route.path, (c) => serve(route, c.req.raw, c.env ?? {}, c.req.param()));
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) methods.set(path, [...(methods.get(path) ?? []), method]);
  for (const [path, allowed] of methods)
    app.all(path, async (c) => {
      if (c.req.method === "OPTIONS") {
        const response = preflight(c.req.raw, options.corsOrigins);
        addSecurityHeaders(response.headers);
        return response;
      }
      const response = await serve(
        undefined,
        c.req.raw,
        c.env ?? {},
        {},
        new ServiceError("method_not_allowed", `${c.req.method.slice(0, 20)} is not one of ${allowed.join(", ")}.`),
      );
      response.headers.set("allow", allowed.join(", "));
      return response;
    });
  app.notFound((c) => serve(undefined, c.req.raw, c.env ?? {}, {}));
  app.onError((error, c) => serve(undefined, c.req.raw, c.env ?? {}, {}, error));
  return async (request, env = {}) => app.fetch(request, env);
}

function errorResponse(error: ServiceError, id: string): Response {
  const headers = new Headers();
  if (error.retryAfter !== undefined) headers.set("retry-after", String(error.retryAfter));
  if (error.code === "unauthorized") headers.set("www-authenticate", "Bearer");
  return Response.json(errorBody(error, id), { status: error.status, headers });
}
