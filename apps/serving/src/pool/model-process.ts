/** @file The child process that holds the models: reads batches from its parent, answers each item. It may be killed at any moment. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { blockForManyTokens } from "@emosllm/backbones";
import { EmosllmError } from "@emosllm/interfaces";
import { type EmoSllm, loadEmoSllm } from "@emosllm/model";
import type { LoadedModel } from "./loaded-model.ts";
import { type BatchContext, generateBatch } from "./generate-batch.ts";
import { scoreBatch } from "./score-batch.ts";
import { timelineBatch } from "./timeline-batch.ts";
import type {
  FromProcess,
  ItemResult,
  ModelInfo,
  Phase,
  PlainError,
  ProcessSetup,
  TaskKind,
  Tasks,
  ToProcess,
} from "./tasks.ts";

type Handler<K extends TaskKind> = (
  model: LoadedModel,
  inputs: readonly Tasks[K]["input"][],
  context: BatchContext,
) => Promise<readonly ItemResult<K>[]>;

const HANDLERS: { readonly [K in TaskKind]: Handler<K> } = {
  score: scoreBatch,
  timeline: timelineBatch,
  generate: generateBatch,
};

const models = new Map<string, LoadedModel>();
/** Batches under way; a long one looks up between two tokens. */
const running = new Map<number, AbortController>();

/** A lost parent is noticed by `disconnect`; sending to it may still fail before. */
const send = (message: FromProcess): void => void process.send?.(message, undefined, undefined, () => undefined);

/** A reload took the model away while requests for it waited. */
class ModelGoneError extends Error {
  readonly code = "model_not_found";

  constructor(id: string) {
    super(`The model '${id}' is no longer served.`);
  }
}

const plain = (error: unknown): PlainError => ({
  code: error instanceof EmosllmError || error instanceof ModelGoneError ? error.code : "internal",
  message: error instanceof Error ? error.message : String(error),
});

async function open({ bundles, threads, precision }: ProcessSetup): Promise<readonly ModelInfo[]> {
  const infos: ModelInfo[] = [];
  for (const { id, folder, adapters } of bundles) {
    // Batches are many tokens at once; training packs in the same way.
    const blockSize = blockForManyTokens(precision);
    const emosllm = await loadEmoSllm(folder, { threads, precision, blockSize, adapters });
    const file = join(folder, "emosllm.json");
    const { manifest } = emosllm;
    const info: ModelInfo = {
      id,
      parent: null,
      revision: await sha256(file),
      labels: emosllm.labels,
      scheme: manifest.labels.scheme,
      baseModel: manifest.base_model.name_or_path,
      frontEnd: manifest.front_end.kind,
      sampleRate: manifest.front_end.sample_rate,
      abstainBelow: manifest.scoring.abstain_below,
      tasks: Object.keys(HANDLERS) as TaskKind[],
      created: Math.floor((await stat(file)).mtimeMs / 1000),
    };
    const model: LoadedModel = { info, emosllm };
    models.set(id, model);
    infos.push(info);
    await warmUp(model);
    for (const [name, place] of Object.entries(adapters ?? {})) {
      const revision = await sha256(join(place, "adapter_model.safetensors"));
      const own: LoadedModel = { info: { ...info, id: name, parent: id, revision }, emosllm: using(emosllm, name) };
      models.set(name, own);
      infos.push(own.info);
    }
  }
  return infos;
}

const sha256 = async (file: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(file))
    .digest("hex");

/** The same model, every input with one of its adapters. */
function using(emosllm: EmoSllm, adapter: string): EmoSllm {
  const chosen = <I extends object>(inputs: readonly I[]): (I & { adapter: string })[] =>
    inputs.map((input) => ({ ...input, adapter }));
  return {
    ...emosllm,
    score: (inputs, options) => emosllm.score(chosen(inputs), options),
    stream: (inputs, options) => emosllm.stream(chosen(inputs), options),
    generate: (inputs, options) => emosllm.generate(chosen(inputs), options),
    countTokens: (inputs, options) => emosllm.countTokens(chosen(inputs), options),
  };
}

/** Programs are compiled when a batch first needs them; that is not to happen to the first caller. */
async function warmUp({ emosllm, info }: LoadedModel): Promise<void> {
  const audio = Float32Array.from({ length: info.sampleRate }, (_, i) => 0.1 * Math.sin(0.05 * i));
  for (const rows of [1, 2]) await emosllm.score(Array.from({ length: rows }, () => ({ audio })));
}

async function run(message: Extract<ToProcess, { type: "batch" }>): Promise<void> {
  const { batch, kind, inputs } = message;
  const started = performance.now();
  const phases: Phase[] = [];
  let done = started;
  let results: readonly ItemResult[];
  try {
    const model = models.get(message.model);
    if (!model) throw new ModelGoneError(message.model);
    const controller = new AbortController();
    running.set(batch, controller);
    const handler = HANDLERS[kind] as Handler<TaskKind>;
    results = await handler(model, inputs, {
      signal: controller.signal,
      say: (chunk) => send({ type: "chunk", batch, chunk }),
      did(name) {
        const now = performance.now();
        phases.push({ name, ms: now - done });
        done = now;
      },
    });
  } catch (error) {
    const failed: ItemResult = { ok: false, error: plain(error) };
    results = inputs.map(() => failed);
  } finally {
    running.delete(batch);
  }
  const modelMs = performance.now() - started;
  send({ type: "done", batch, results, modelMs, phases, rssBytes: process.memoryUsage.rss() });
}

process.on("message", (message: ToProcess) => {
  if (message.type === "open")
    open(message.setup).then(
      (infos) => send({ type: "ready", models: infos }),
      (error: unknown) => send({ type: "failed", error: plain(error) }),
    );
  else if (message.type === "batch") void run(message);
  else if (message.type === "cancel") running.get(message.batch)?.abort();
  else process.exit(0);
});
// Ctrl-C reaches the whole group; the parent drains and then closes its processes.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.on("disconnect", () => process.exit(0));
