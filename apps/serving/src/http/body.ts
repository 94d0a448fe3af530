/** @file Request bodies within bounds: bytes, JSON that is not too deep, forms. */
import type { z } from "zod";
import { ServiceError } from "../errors.ts";

/** Bytes of all bodies that are held at once, so that many large ones cannot fill the memory. */
export interface ByteBudget {
  /** Throws `queue_full` when the budget is spent. */
  take(bytes: number): void;
  give(bytes: number): void;
  readonly held: number;
}

/** A budget of `most` bytes. */
export function byteBudget(most: number): ByteBudget {
  let held = 0;
  return {
    take(bytes) {
      if (held + bytes > most)
        throw new ServiceError("queue_full", "Too many large requests are under way; try again later.", {
          retryAfter: 1,
        });
      held += bytes;
    },
    give: (bytes) => void (held -= bytes),
    get held() {
      return held;
    },
  };
}

/** Bounds of {@link readBody}. */
export interface BodyLimits {
  readonly bodyBytes: number;
  readonly jsonDepth: number;
}

/** A body that was read; `release` gives its bytes back to the budget. */
export interface ReadBody {
  readonly bytes: Uint8Array;
  release(): void;
}

const tooLarge = (limit: number): ServiceError =>
  new ServiceError("payload_too_large", `The body is larger than ${limit} bytes.`);

/** Reads a whole body. Throws `payload_too_large`, `unsupported_media_type` for a compressed one, `queue_full`, `client_closed`. */
export async function readBody(request: Request, { bodyBytes }: BodyLimits, budget: ByteBudget): Promise<ReadBody> {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity")
    throw new ServiceError(
      "unsupported_media_type",
      `content-encoding '${encoding.slice(0, 40)}' is not accepted; send the body as it is.`,
    );
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > bodyBytes) throw tooLarge(bodyBytes);
  const parts: Uint8Array[] = [];
  let size = 0;
  let released = false;
  const release = (): void => {
    if (!released) budget.give(size);
    released = true;
  };
  try {
    if (request.body)
      for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) {
        if (size + part.length > bodyBytes) throw tooLarge(bodyBytes);
        budget.take(part.length);
        size += part.length;
        parts.push(part);
      }
  } catch (error) {
    release();
    if (error instanceof ServiceError) throw error;
    throw new ServiceError("client_closed", "The body ended early.", { cause: error });
  }
  if (parts.length === 1) return { bytes: parts[0] as Uint8Array, release };
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, release };
}

/** Parses JSON. Throws `invalid_request` for what is not JSON, or nested deeper than `depth`. */
export function parseJson(bytes: Uint8Array, depth: number): unknown {
  assertDepth(bytes, depth);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new ServiceError("invalid_request", `The body is not JSON: ${(cause as Error).message.slice(0, 200)}`, {
      cause,
    });
  }
}

const [QUOTE, BACKSLASH, OPEN, CLOSE] = [0x22, 0x5c, [0x5b, 0x7b], [0x5d, 0x7d]];

/** Brackets outside strings, counted on the bytes: they are the same in UTF-8 as in ASCII. */
function assertDepth(bytes: Uint8Array, most: number): void {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) {
      // Long strings (base64) are skipped by the native search.
      let end = i + 1;
      for (;;) {
        end = bytes.indexOf(QUOTE as number, end);
        if (end < 0) return;
        let slashes = 0;
        while (bytes[end - 1 - slashes] === BACKSLASH) slashes++;
        if (slashes % 2 === 0) break;
        end++;
      }
      i = end;
    } else if ((OPEN as number[]).includes(byte)) {
      if (++depth > most) throw new ServiceError("invalid_request", `The JSON is nested deeper than ${most} levels.`);
    } else if ((CLOSE as number[]).includes(byte)) depth--;
  }
}

/** A form's fields. Throws `invalid_request`. */
export async function parseForm(bytes: Uint8Array, contentType: string): Promise<FormData> {
  try {
    return await new Response(bytes as Uint8Array<ArrayBuffer>, {
      headers: { "content-type": contentType },
    }).formData();
  } catch (cause) {
    throw new ServiceError("invalid_request", "The body is not a well-formed multipart form.", { cause });
  }
}

/** `value` as `schema` has it. Throws `invalid_request` naming the field. */
export function validate<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const param = issue?.path.map(String).join(".") || undefined;
  const all = parsed.error.issues.slice(0, 5).map((i) => `${i.path.join(".") || "body"}: ${i.message}`);
  throw new ServiceError("invalid_request", all.join("; ").slice(0, 1000), { param });
}

/** Base64 (also URL-safe, with or without padding). Throws `invalid_request` naming `param`. */
export function decodeBase64(text: string, param: string): Uint8Array {
  const comma = text.startsWith("data:") ? text.indexOf(",") + 1 : 0;
  const digits = comma > 0 ? text.slice(comma) : text;
  // Node drops what is not base64 without a word.
  const bytes = /[^A-Za-z0-9+/=_\-\s]/.test(digits) ? Buffer.alloc(0) : Buffer.from(digits, "base64");
  if (bytes.length === 0) throw new ServiceError("invalid_request", `${param} is not base64`, { param });
  return bytes;
}
