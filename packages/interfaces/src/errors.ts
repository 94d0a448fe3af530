/** @file The one error class that crosses package borders: a stable `code` to branch on, a message that names value and place. */

/** Every code a caller may branch on. Add one here before throwing it. */
export const ERROR_CODES = [
  "audio_decode",
  "audio_empty",
  "audio_unsupported",
  "bundle_invalid",
  "cache_corrupt",
  "checkpoint_invalid",
  "checkpoint_not_found",
  "config_invalid",
  "corpus_not_found",
  "corpus_invalid",
  "adapter_invalid",
  "device_unavailable",
  "disk_full",
  "interrupted",
  "label_unknown",
  "model_unsupported",
  "not_supported",
  "prompt_invalid",
  "runtime_failed",
  "training_diverged",
  "usage",
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** An error a user can act on: `code` for programs, `message` for people, `details` for logs. */
export class EmosllmError extends Error {
  override readonly name = "EmosllmError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
