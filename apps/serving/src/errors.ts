/** @file One error shape for every route: codes as a table that says status and OpenAI's error type. */

/** Every code an answer can carry, with its HTTP status and OpenAI's `type`. */
export const SERVICE_ERRORS = {
  invalid_request: { status: 400, type: "invalid_request_error" },
  audio_decode: { status: 400, type: "invalid_request_error" },
  audio_empty: { status: 400, type: "invalid_request_error" },
  prompt_invalid: { status: 400, type: "invalid_request_error" },
  unauthorized: { status: 401, type: "authentication_error" },
  forbidden: { status: 403, type: "permission_error" },
  origin_not_allowed: { status: 403, type: "permission_error" },
  not_found: { status: 404, type: "invalid_request_error" },
  model_not_found: { status: 404, type: "invalid_request_error" },
  method_not_allowed: { status: 405, type: "invalid_request_error" },
  request_timeout: { status: 408, type: "invalid_request_error" },
  reload_failed: { status: 409, type: "invalid_request_error" },
  payload_too_large: { status: 413, type: "invalid_request_error" },
  audio_too_long: { status: 413, type: "invalid_request_error" },
  unsupported_media_type: { status: 415, type: "invalid_request_error" },
  audio_unsupported: { status: 415, type: "invalid_request_error" },
  not_supported: { status: 422, type: "invalid_request_error" },
  rate_limited: { status: 429, type: "rate_limit_error" },
  queue_full: { status: 429, type: "rate_limit_error" },
  client_closed: { status: 499, type: "invalid_request_error" },
  internal: { status: 500, type: "server_error" },
  worker_failed: { status: 503, type: "server_error" },
  not_ready: { status: 503, type: "server_error" },
  shutting_down: { status: 503, type: "server_error" },
  deadline_exceeded: { status: 504, type: "server_error" },
} as const satisfies Record<string, { status: number; type: string }>;

/** One of {@link SERVICE_ERRORS}. */
export type ServiceErrorCode = keyof typeof SERVICE_ERRORS;

/** Options of {@link ServiceError}. */
export interface ServiceErrorOptions {
  /** The field that is wrong, e.g. `messages.0.content`. */
  readonly param?: string | undefined;
  /** Seconds after which asking again makes sense; sent as `Retry-After`. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** An error that a caller is told. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ServiceErrorCode;
  readonly param: string | null;
  readonly retryAfter: number | undefined;

  constructor(code: ServiceErrorCode, message: string, { param, retryAfter, cause }: ServiceErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.param = param ?? null;
    this.retryAfter = retryAfter;
  }

  get status(): number {
    return SERVICE_ERRORS[this.code].status;
  }
}

/** An error that a model process sent, under a code that callers know. */
export function fromProcessError({ code, message }: { readonly code: string; readonly message: string }): ServiceError {
  // What a package calls wrong usage is the caller's request here.
  if (code === "usage") return new ServiceError("invalid_request", message);
  return Object.hasOwn(SERVICE_ERRORS, code)
    ? new ServiceError(code as ServiceErrorCode, message)
    : new ServiceError("internal", message);
}

/** Whatever was thrown, as something that a caller may be told; what is not meant for callers becomes `internal`. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError("internal", "The server failed; its log has the reason under this request id.", {
    cause: error,
  });
}

/** The body of every error. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
    readonly request_id: string;
  };
}

/** The body of `error`. */
export const errorBody = ({ code, message, param }: ServiceError, requestId: string): ErrorBody => ({
  error: { message, type: SERVICE_ERRORS[code].type, param, code, request_id: requestId },
});
