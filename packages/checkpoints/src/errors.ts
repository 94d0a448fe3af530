/** @file The errors of this package: each names the file, the tensor where there is one, and the byte. */
import { EmosllmError } from "@emosllm/interfaces";

/** Where in a file something is wrong. */
export interface Place {
  readonly file: string;
  readonly tensor?: string | undefined;
  /** Offset in the file. */
  readonly byte?: number | undefined;
}

/** A `checkpoint_invalid` error: `file: tensor 'x': byte 123: what is wrong`. */
export function invalid(place: Place, message: string, cause?: unknown): EmosllmError {
  const tensor = place.tensor === undefined ? "" : `tensor '${clip(place.tensor)}': `;
  const byte = place.byte === undefined ? "" : `byte ${place.byte}: `;
  const details = { file: place.file, tensor: place.tensor, byte: place.byte };
  return new EmosllmError("checkpoint_invalid", `${place.file}: ${tensor}${byte}${message}`, {
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A name from a file as it may be shown: control characters escaped, at most 120 characters. */
export function clip(name: string): string {
  const text = JSON.stringify(name).slice(1, -1);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** What a missing or unreadable file is called. */
export function unreadable(file: string, cause: unknown): EmosllmError {
  const code = (cause as NodeJS.ErrnoException).code;
  const message =
    code === "ENOENT"
      ? "there is no such file"
      : code === "EACCES" || code === "EPERM"
        ? "permission denied"
        : (cause as Error).message;
  return new EmosllmError("checkpoint_not_found", `${file}: ${message}`, { cause, details: { file } });
}
