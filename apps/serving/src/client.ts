/** @file A typed client over `fetch`, for Node and browsers; its types are those that the server validates with. */
import type { z } from "zod";
import type { ErrorBody } from "./errors.ts";
import type {
  EmotionResult,
  emotionOptionsSchema,
  inferResponseSchema,
  modelListSchema,
  readySchema,
} from "./schemas.ts";

export type { EmotionResult, Segment } from "./schemas.ts";
export type { ErrorBody } from "./errors.ts";
export type { ServerMessage } from "./realtime/messages.ts";

/** What may be asked beside the sound. */
export type EmotionRequest = z.input<typeof emotionOptionsSchema>;
/** A model that may be asked. */
export type ServedModel = z.output<typeof modelListSchema>["data"][number];
/** KServe's answer. */
export type InferResponse = z.output<typeof inferResponseSchema>;

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** Where the server is, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly apiKey?: string;
  /** Times that a refused request (429, 503) is sent again after the server's `Retry-After`. Default 2. */
  readonly retries?: number;
  readonly fetch?: typeof fetch;
}

/** Options of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** An answer that is an error. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly status: number;
  readonly code: string;
  readonly requestId: string;

  constructor(status: number, { error }: ErrorBody) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.requestId = error.request_id;
  }
}

/** A server, as functions. Each throws {@link ClientError} for an answer that is an error, TypeError when there is no answer. */
export interface Client {
  /** The emotion of a sound file. */
  emotions(sound: Blob | Uint8Array, request?: EmotionRequest, options?: CallOptions): Promise<EmotionResult>;
  models(options?: CallOptions): Promise<ServedModel[]>;
  ready(options?: CallOptions): Promise<z.output<typeof readySchema>>;
}

/**
 * A client.
 *
 * @example
 * const client = createClient({ url: "http://127.0.0.1:8080" });
 * const { label, emotions } = await client.emotions(await readFile("turn.wav"), { timeline: true });
 */
export function createClient({ url, apiKey, retries = 2, fetch: send = fetch }: ClientOptions): Client {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };

  async function call<T>(path: string, init: RequestInit, left: number = retries): Promise<T> {
    const response = await send(new URL(path, url), { ...init, headers });
    if (response.ok) return (await response.json()) as T;
    const wait = Number(response.headers.get("retry-after") ?? Number.NaN);
    if (left > 0 && (response.status === 429 || response.status === 503) && Number.isFinite(wait)) {
      await response.body?.cancel();
      await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
      return call(path, init, left - 1);
    }
    const body = (await response.json().catch(() => ({
      error: { message: `status ${response.status}`, type: "unknown", param: null, code: "unknown", request_id: "" },
    }))) as ErrorBody;
    throw new ClientError(response.status, body);
  }
  const withSignal = ({ signal }: CallOptions): RequestInit => (signal ? { signal } : {});
  return {
    emotions(sound, request = {}, options = {}) {
      const form = new FormData();
      form.set("file", sound instanceof Blob ? sound : new Blob([sound as Uint8Array<ArrayBuffer>]), "sound");
      for (const [name, value] of Object.entries(request)) if (value !== undefined) form.set(name, String(value));
      return call("/v1/audio/emotions", { method: "POST", body: form, ...withSignal(options) });
    },
    models: async (options = {}) =>
      (await call<z.output<typeof modelListSchema>>("/v1/models", withSignal(options))).data,
    ready: (options = {}) => call("/readyz", withSignal(options)),
  };
}
