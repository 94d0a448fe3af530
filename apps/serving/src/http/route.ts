/** @file A route as data: the one table that is served, validated and documented. */
import type { z } from "zod";
import type { TraceContext } from "../observe/traces.ts";
import type { Service } from "../service.ts";

/** Who may call: anybody; whoever has a key, where there are keys; whoever has an admin key. */
export type Access = "open" | "key" | "admin";

/** One call of a route. */
export interface Call {
  readonly request: Request;
  readonly service: Service;
  /** The request's id, also in its answer. */
  readonly id: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** `performance.now()` of its arrival. */
  readonly started: number;
  /** Aborted when the caller goes. */
  readonly signal: AbortSignal;
  /** The body's bytes; given back when the answer is made. */
  body(): Promise<Uint8Array>;
  /** Where it is traced. */
  readonly trace: TraceContext | undefined;
  /** What the log line and the metrics are to say. */
  readonly facts: CallFacts;
}

/** Filled in by a route's handler. */
export interface CallFacts {
  model?: string;
  audioSeconds?: number;
  batchSize?: number;
}

/** A body or an answer in one content type. */
export interface Content {
  readonly type: string;
  readonly schema?: z.ZodType;
}

/** One route. */
export interface Route {
  readonly method: "GET" | "POST";
  /** With `:name` for parameters. */
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: readonly Content[];
  readonly answer: Content;
  handle(call: Call): Response | Promise<Response>;
}

/** A JSON answer. */
export const json = (value: unknown, init: ResponseInit = {}): Response => Response.json(value, init);
