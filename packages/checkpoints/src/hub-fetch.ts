/** @file HTTP to the hub: which failures are worth another try, and what a person can do about the others. */
import { HUB_URL } from "@huggingface/hub";
import { EmosllmError } from "@emosllm/interfaces";

/** A failure that may be gone in a moment: no connection, a cut one, 408, 429 or 5xx. */
export class TransientError extends Error {
  override readonly name = "TransientError";
}

/** A `fetch` for one model whose failures are {@link TransientError} or an `EmosllmError` that says what to do. */
export function hubFetch(
  {
    name,
    revision,
    endpoint = HUB_URL,
    token,
  }: {
    name: string;
    revision: string;
    endpoint?: string | undefined;
    token?: string | undefined;
  },
  signal?: AbortSignal,
): typeof fetch {
  const explain = (status: number, code: string | null): string => {
    const page = `${endpoint}/${name}`;
    const withToken = token
      ? "the token in use may not see it"
      : "no token is in use; set HF_TOKEN to one that may see it";
    if (code === "GatedRepo" || (status === 403 && code === null))
      return `'${name}' is gated: open ${page}, log in and accept its conditions, make an access token in your account's settings (read access to gated repositories), and set HF_TOKEN to it (${token ? "the token in use has no access yet" : "no token is in use"})`;
    if (code === "RevisionNotFound") return `'${name}' has no revision '${revision}'`;
    if (code === "EntryNotFound") return `'${name}' has no such file`;
    if (code === "RepoNotFound" || status === 401 || status === 404)
      return `there is no model '${name}' at ${endpoint}, or it is private (${withToken})`;
    return `${endpoint} refused '${name}'`;
  };
  return async (input, init) => {
    const response = await fetch(input, { ...init, ...(signal ? { signal } : {}) }).catch((cause: unknown) => {
      if (signal?.aborted) throw signal.reason;
      const reason = ((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message;
      throw new TransientError(`${endpoint} cannot be reached: ${reason}`, { cause });
    });
    if (response.ok) {
      const range = new Headers(init?.headers).get("range");
      if (range && response.status !== 206) {
        await response.body?.cancel();
        throw new EmosllmError(
          "checkpoint_not_found",
          `${endpoint} does not serve parts of files (HTTP ${response.status} to ${range})`,
        );
      }
      return response;
    }
    await response.body?.cancel();
    const { status, url } = response;
    if (status === 408 || status === 429 || status >= 500) throw new TransientError(`HTTP ${status} from ${url}`);
    throw new EmosllmError(
      "checkpoint_not_found",
      `${explain(status, response.headers.get("x-error-code"))} (HTTP ${status})`,
      { details: { name, revision, status, url } },
    );
  };
}
