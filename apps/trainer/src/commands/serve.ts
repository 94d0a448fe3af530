/** @file `emosllm serve --bundle DIR [--bundle name=DIR2 ...]`: answers over HTTP until it is told to stop. */
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { PRECISIONS } from "@emosllm/backbones";
import { EmosllmError } from "@emosllm/interfaces";
import type { ApiKey, BundleSpec, ServerEvent } from "@emosllm/serving";
import { defineCommand } from "citty";

export default defineCommand({
  meta: {
    name: "serve",
    description: "Serves bundles over HTTP with a page to try them: emosllm serve --bundle runs/demo/best --port 8080",
  },
  args: {
    bundle: {
      type: "string",
      required: true,
      description: "folder of a trained model, or name=folder; may be given again",
    },
    adapter: {
      type: "string",
      description:
        "name=folder of a further PEFT adapter on the language model of the bundle before it; may be given again",
    },
    host: { type: "string", default: "127.0.0.1", description: "address to listen on; 0.0.0.0 for all" },
    port: { type: "string", default: "8080", description: "0 takes a free one" },
    "api-key": {
      type: "string",
      description: "a key that callers must send; may be given again (also EMOSLLM_API_KEY)",
    },
    "api-key-file": {
      type: "string",
      description: "lines 'name sha256 [admin]', hashes from: printf %s KEY | sha256sum",
    },
    "admin-key": { type: "string", description: "a key that may also reload bundles (also EMOSLLM_ADMIN_KEY)" },
    "cors-origin": { type: "string", description: "origin of pages that may call; may be given again" },
    "requests-per-minute": { type: "string", default: "0", description: "for each key; 0: no limit" },
    "allow-urls": {
      type: "string",
      default: "none",
      description: "fetch sound from addresses in requests: none, public, any",
    },
    processes: { type: "string", description: "model processes (cores, at most 4)" },
    threads: { type: "string", description: "threads of each (cores / processes)" },
    precision: {
      type: "string",
      description: "how language models are held: f32, f16, int8, int4 (as each bundle says)",
    },
    "max-batch": { type: "string", default: "8", description: "utterances in one pass" },
    "max-queue": { type: "string", default: "256", description: "requests that may wait; more get 429" },
    "max-seconds": { type: "string", default: "120", description: "longest utterance" },
    deadline: { type: "string", default: "30", description: "seconds within which a request is answered or refused" },
    "drain-delay": {
      type: "string",
      default: "0.25",
      description: "seconds that are still served after the signal, for balancers to hear of it",
    },
    "drain-seconds": { type: "string", default: "30", description: "longest wait for open requests at the end" },
    log: { type: "string", default: "text", description: "text, json or none, on standard error" },
  },
  async run({ args, rawArgs }) {
    const { createServer, listen, tracesFromEnv } = await import("@emosllm/serving");
    const number = (name: keyof typeof args, least: number): number => numeric(name, args[name] as string, least);
    const urls = oneOf("allow-urls", args["allow-urls"], ["none", "public", "any"] as const);
    const log = LOGS[oneOf("log", args.log, Object.keys(LOGS) as (keyof typeof LOGS)[])];
    const bundles = bundlesOf(rawArgs);
    const server = await createServer({
      bundles,
      keys: await readKeys(rawArgs, args["api-key-file"]),
      corsOrigins: all(rawArgs, "cors-origin"),
      requestsPerMinute: number("requests-per-minute", 0),
      urls,
      ...(args.processes === undefined ? {} : { processes: number("processes", 1) }),
      ...(args.threads === undefined ? {} : { threads: number("threads", 1) }),
      ...(args.precision === undefined ? {} : { precision: oneOf("precision", args.precision, PRECISIONS) }),
      maxBatch: number("max-batch", 1),
      maxQueue: number("max-queue", 1),
      deadlineMs: 1000 * number("deadline", 0.1),
      limits: { seconds: number("max-seconds", 1) },
      traces: tracesOf(() => tracesFromEnv(process.env)),
      onEvent: log,
    });
    let listening;
    try {
      listening = await listen(server, { host: args.host, port: number("port", 0) });
    } catch (cause) {
      await server.close();
      throw new EmosllmError("usage", `--host ${args.host} --port ${args.port}: ${(cause as Error).message}`, {
        cause,
      });
    }
    process.stderr.write(`serving ${server.models.map((m) => m.id).join(", ")} on ${listening.url} (Ctrl-C stops)\n`);
    process.on("SIGHUP", () => {
      // The outcome is an event of its own.
      server.reload().catch((error: Error) => process.stderr.write(`reload failed: ${error.message}\n`));
    });
    await stopSignal();
    process.stderr.write("stopping: open requests are answered first\n");
    await listening.stop({ delayMs: 1000 * number("drain-delay", 0), graceMs: 1000 * number("drain-seconds", 0) });
    return 0;
  },
});

const LOGS = {
  none: () => undefined,
  json: (event: ServerEvent) =>
    void process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`),
  text: (event: ServerEvent) => {
    const { type, ...rest } = event;
    // One line per request would drown the rest; JSON logs have them.
    if (type === "batch" || (type === "request" && event.status < 500)) return;
    process.stderr.write(`${type}: ${JSON.stringify(rest)}\n`);
  },
};

/** Resolves at the first signal; a second one ends the process at once. */
const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
  });

/** Every value of an option that may be given again. */
function all(rawArgs: readonly string[], name: string): string[] {
  return rawArgs.flatMap((word, i) => {
    if (word.startsWith(`--${name}=`)) return [word.slice(name.length + 3)];
    const next = rawArgs[i + 1];
    return word === `--${name}` && next !== undefined ? [next] : [];
  });
}

/** Each bundle with the adapters that stand after it. */
function bundlesOf(rawArgs: readonly string[]): BundleSpec[] {
  const bundles: BundleSpec[] = [];
  for (const [i, word] of rawArgs.entries()) {
    const [, name, joined] = /^--(bundle|adapter)(?:=(.*))?$/s.exec(word) ?? [];
    const text = joined ?? rawArgs[i + 1];
    if (name === undefined || text === undefined) continue;
    if (name === "bundle") {
      bundles.push(bundleSpec(text));
      continue;
    }
    const at = text.indexOf("=");
    const last = bundles.pop();
    if (at < 1 || !last)
      throw new EmosllmError("usage", `--adapter ${text}: expected name=folder after the --bundle it belongs to`);
    const id = text.slice(0, at);
    if (last.adapters && Object.hasOwn(last.adapters, id))
      throw new EmosllmError("usage", `--adapter ${text}: there is an adapter '${id}' already`);
    bundles.push({ ...last, adapters: { ...last.adapters, [id]: text.slice(at + 1) } });
  }
  return bundles;
}

/** Environment variables that are not understood are the user's to mend. */
function tracesOf<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new EmosllmError("usage", (cause as Error).message, { cause });
  }
}

function numeric(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= least) return value;
  throw new EmosllmError("usage", `--${name} ${text}: expected a number of at least ${least}`);
}

function oneOf<T extends string>(name: string, value: string, accepted: readonly T[]): T {
  if ((accepted as readonly string[]).includes(value)) return value as T;
  throw new EmosllmError("usage", `--${name} ${value}: expected one of ${accepted.join(", ")}`);
}

/** `name=folder`, or a folder whose own name (of the run above it, for `best` and `last`) it takes. */
function bundleSpec(text: string): BundleSpec {
  const at = text.indexOf("=");
  if (at > 0) return { id: text.slice(0, at), folder: text.slice(at + 1) };
  const folder = resolve(text);
  const own = basename(folder);
  return { id: ["best", "last"].includes(own) ? basename(dirname(folder)) : own, folder: text };
}

async function readKeys(rawArgs: readonly string[], file: string | undefined): Promise<ApiKey[]> {
  const { apiKey, parseKeyFile } = await import("@emosllm/serving");
  const env = (name: string): string[] => (process.env[name] === undefined ? [] : [process.env[name]]);
  const keys = [...all(rawArgs, "api-key"), ...env("EMOSLLM_API_KEY")].map((key, i) =>
    apiKey(key, { name: `key-${i + 1}` }),
  );
  const admins = [...all(rawArgs, "admin-key"), ...env("EMOSLLM_ADMIN_KEY")].map((key) =>
    apiKey(key, { name: "admin", admin: true }),
  );
  if (file === undefined) return [...keys, ...admins];
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new EmosllmError("config_invalid", `--api-key-file ${file}: ${(cause as Error).message}`, { cause });
  });
  return [...keys, ...admins, ...parseKeyFile(text, file)];
}
