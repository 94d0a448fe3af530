/** @file What a server is made with, and the values that stand where nothing is said. */
import { availableParallelism } from "node:os";
import type { Precision } from "@emosllm/backbones";
import type { BundleSpec } from "./pool/tasks.ts";
import type { TraceOptions } from "./observe/traces.ts";
import type { PoolEvent } from "./pool/pool.ts";
import type { ApiKey } from "./security/keys.ts";

/** Bounds on what one request may bring. */
export interface RequestLimits {
  /** Bytes of a request body. */
  readonly bodyBytes: number;
  /** Bytes of all bodies that are held at once. */
  readonly heldBytes: number;
  /** Seconds of sound of one utterance. */
  readonly seconds: number;
  /** Seconds of sound with `timeline=true`. */
  readonly timelineSeconds: number;
  /** Decoded samples over all channels at the file's own rate. */
  readonly samples: number;
  /** Nesting of a JSON body. */
  readonly jsonDepth: number;
  /** Bytes of all header lines. */
  readonly headerBytes: number;
  /** Characters of a transcript. */
  readonly transcript: number;
}

/** Options of `createServer`. */
export interface ServerOptions {
  /** Trained models; the first answers requests that name none. */
  readonly bundles: readonly BundleSpec[];
  /** Model processes. Default: as many as cores, at most 4, with one thread each. */
  readonly processes?: number;
  /** Threads of each model process. Default: cores / processes. */
  readonly threads?: number;
  /** `f32`, `int8` or `int4`: how language models are held. Default: as each bundle says. */
  readonly precision?: Precision | undefined;
  /** Utterances in one pass. Default 8. */
  readonly maxBatch?: number;
  /** Milliseconds that a request waits for company. Default 5. */
  readonly batchDelayMs?: number;
  /** Requests that may wait. Default 256. */
  readonly maxQueue?: number;
  /** Milliseconds within which a request is answered or refused. Default 30000. */
  readonly deadlineMs?: number;
  /** Milliseconds after which a batch counts as stuck. Default 120000. */
  readonly batchTimeoutMs?: number;
  /** Without any key, every route but the admin ones is open. */
  readonly keys?: readonly ApiKey[];
  /** Requests per minute and key (or address, where there are no keys). Default: no limit. */
  readonly requestsPerMinute?: number;
  /** Origins of pages that may call from a browser, e.g. `https://app.example.org`; `*` for all. Default: the server's own page only. */
  readonly corsOrigins?: readonly string[];
  /** Whether `url` may name sound to fetch: `public` refuses private addresses, `any` refuses none. Default `none`. */
  readonly urls?: "none" | "public" | "any";
  readonly limits?: Partial<RequestLimits>;
  /** Where traces go (`tracesFromEnv(process.env)` reads OpenTelemetry's variables). Default: none are made. */
  readonly traces?: TraceOptions | undefined;
  /** Hears of everything worth a log line; never sound or transcripts. */
  readonly onEvent?: (event: ServerEvent) => void;
}

/** Something worth a log line. */
export type ServerEvent =
  | PoolEvent
  | {
      readonly type: "request";
      readonly id: string;
      readonly method: string;
      readonly route: string;
      readonly status: number;
      readonly code: string | undefined;
      readonly ms: number;
      readonly key: string | undefined;
      readonly model: string | undefined;
      readonly audioSeconds: number | undefined;
      readonly batchSize: number | undefined;
      /** Where the request is traced. */
      readonly trace: string | undefined;
    }
  /** A collector did not take traces; told once until it does again. */
  | { readonly type: "traces_lost"; readonly spans: number; readonly reason: string }
  | { readonly type: "error"; readonly id: string; readonly message: string; readonly stack: string | undefined };

/** {@link ServerOptions} with nothing left open. */
export type ResolvedOptions = Required<Omit<ServerOptions, "limits" | "precision" | "traces">> & {
  readonly traces: TraceOptions | undefined;
  readonly precision: Precision | undefined;
  readonly limits: RequestLimits;
};

const LIMITS: RequestLimits = {
  bodyBytes: 32 * 2 ** 20,
  heldBytes: 256 * 2 ** 20,
  seconds: 120,
  timelineSeconds: 900,
  samples: 2 ** 26,
  jsonDepth: 32,
  headerBytes: 16 * 2 ** 10,
  transcript: 4000,
};

/** Fills in defaults. Throws RangeError for a bound that makes no sense. */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  const cores = availableParallelism();
  const processes = options.processes ?? Math.min(4, cores);
  const resolved: ResolvedOptions = {
    bundles: options.bundles,
    processes,
    threads: options.threads ?? Math.max(1, Math.floor(cores / processes)),
    precision: options.precision,
    maxBatch: options.maxBatch ?? 8,
    batchDelayMs: options.batchDelayMs ?? 5,
    maxQueue: options.maxQueue ?? 256,
    deadlineMs: options.deadlineMs ?? 30_000,
    batchTimeoutMs: options.batchTimeoutMs ?? 120_000,
    keys: options.keys ?? [],
    requestsPerMinute: options.requestsPerMinute ?? 0,
    corsOrigins: options.corsOrigins ?? [],
    urls: options.urls ?? "none",
    limits: { ...LIMITS, ...options.limits },
    traces: options.traces,
    onEvent: options.onEvent ?? (() => undefined),
  };
  if (resolved.bundles.length === 0) throw new RangeError("createServer: bundles is empty; give at least one");
  const ids = resolved.bundles.flatMap(({ id, adapters = {} }) => [id, ...Object.keys(adapters)]);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw new RangeError(`createServer: two bundles or adapters are named '${twice}'`);
  for (const [name, least] of [
    ["processes", 1],
    ["threads", 1],
    ["maxBatch", 1],
    ["maxQueue", 1],
    ["deadlineMs", 1],
  ] as const)
    if (!(resolved[name] >= least))
      throw new RangeError(`createServer: ${name} is ${resolved[name]}, expected >= ${least}`);
  return resolved;
}
