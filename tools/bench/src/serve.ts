/**
 * @file `bench serve`: our server under the load of the reference's `load`: a WAV of white noise per request, each another one, posted as the
 * body. With `--shape` and `--encoder` at random weights, with `--bundle` at a trained one. Prints the reference's fields.
 */
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { copyFile, mkdir, stat, writeFile } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeWav } from "@emosllm/audio-features";
import { type Precision, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, writeSafetensors } from "@emosllm/checkpoints";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { encoderFrontEnd, fingerprint, saveBundle, trainedShapes } from "@emosllm/model";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import { type Tokenizer, loadTokenizer } from "@emosllm/prompts";
import { f32 } from "@emosllm/runtime";
import { randomStream } from "@emosllm/training";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { SHAPES } from "./shapes.ts";

const ROOT = process.env["EMOSLLM_ROOT"] ?? process.cwd();
const CACHE = join(tmpdir(), "emosllm-bench");
const TOKENIZER = join(ROOT, "tools/tiny-backbone/model");
const LABELS = ["angry", "happy", "neutral", "sad"];
/** Tokens before and after the sound, as the reference has them. */
const [PROMPT, TRANSCRIPT] = [80, 16];

/** WavLM's published sizes: width, layers, heads, feed-forward; `stable` is the large one's order of norms. */
const ENCODERS: Readonly<Record<string, { d: number; layers: number; heads: number; ffn: number; stable: boolean }>> = {
  "wavlm-base": { d: 768, layers: 12, heads: 12, ffn: 3072, stable: false },
  "wavlm-large": { d: 1024, layers: 24, heads: 16, ffn: 4096, stable: true },
};

/** Runs the benchmark and gives its fields. */
export async function benchServe(argv: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      shape: { type: "string", default: "smollm2-135m" },
      encoder: { type: "string", default: "wavlm-base" },
      precision: { type: "string", default: "f32" },
      bundle: { type: "string" },
      clients: { type: "string", default: "8" },
      requests: { type: "string", default: "64" },
      seconds: { type: "string", default: "4" },
      processes: { type: "string" },
      query: { type: "string", default: "" },
    },
  });
  const precision = values.precision as Precision;
  const folder = values.bundle ?? (await randomBundle(values.shape, values.encoder, precision));
  // A small model is best run in a process a core, a large one over all cores in one: its memory is there once.
  const processes = Number(values.processes ?? (values.bundle === undefined ? 1 : availableParallelism()));
  const threads = Math.max(1, Math.floor(availableParallelism() / processes));
  const options = ["--processes", String(processes), "--threads", String(threads)];
  if (values.bundle === undefined) options.push("--precision", precision);
  const server = await startServer(folder, options);
  try {
    const [clients, requests, seconds] = [Number(values.clients), Number(values.requests), Number(values.seconds)];
    const figures = await load(`${server.url}/v1/audio/emotions${values.query}`, { clients, requests, seconds });
    return {
      server: "emosllm",
      ...(values.bundle === undefined
        ? { shape: values.shape, encoder: values.encoder, precision }
        : { bundle: values.bundle }),
      processes,
      ...figures,
      peak_rss_mib: Math.round(peakMib(server.pid)),
    };
  } finally {
    await server.stop();
  }
}

/** Posts `requests` different clips from `clients` connections that each wait for their answer, after 4 to warm up. */
async function load(
  url: string,
  { clients, requests, seconds }: { clients: number; requests: number; seconds: number },
): Promise<Record<string, unknown>> {
  const latencies: number[] = [];
  let failed = 0;
  let next = 0;
  const warmUp = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 4; i++) await post(url, noise(seconds, 10_000 + i), warmUp);
  warmUp.destroy();
  const started = performance.now();
  const client = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (next < requests) {
      const body = noise(seconds, next++);
      const sent = performance.now();
      const status = await post(url, body, agent);
      if (status === 200) latencies.push(performance.now() - sent);
      else failed++;
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: clients }, client));
  const wall = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number | null => {
    const value = latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))];
    return value === undefined ? null : Math.round(10 * value) / 10;
  };
  return {
    clients,
    requests,
    seconds,
    throughput_rps: Math.round((1000 * latencies.length) / wall) / 1000,
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
    not_200: failed,
  };
}

function noise(seconds: number, seed: number): Uint8Array {
  const { next } = randomStream(seed, "bench clip");
  const samples = Float32Array.from({ length: Math.floor(16_000 * seconds) }, () => 0.3 * (next() + next() - 1));
  return encodeWav({ samples: [samples], sampleRate: 16_000 });
}

const post = (url: string, body: Uint8Array, agent: Agent): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = { "content-type": "audio/wav", "content-length": body.length };
    const request = httpRequest(url, { method: "POST", agent, headers }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    request.on("error", reject).end(body);
  });

interface Started {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** `emosllm serve` as a user runs it. */
function startServer(folder: string, options: readonly string[]): Promise<Started> {
  const args = ["--conditions=@emosllm/source", "--import=tsx", join(ROOT, "apps/trainer/src/main.ts"), "serve"];
  const child = spawn(process.execPath, [...args, "--bundle", `bench=${folder}`, "--port", "0", ...options], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let said = "";
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    child.once("exit", (code) => reject(new Error(`the server ended with exit code ${code}: ${said}`)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const url = / on (http:\S+)/.exec(said)?.[1];
      if (url === undefined) return;
      resolve({
        url,
        pid: child.pid as number,
        async stop() {
          child.kill("SIGTERM");
          await ended;
        },
      });
    });
  });
}

/** High-water mark of a process and its children, MiB (Linux). */
function peakMib(pid: number): number {
  try {
    const own = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    return children.reduce((sum, child) => sum + peakMib(child), own);
  } catch {
    return Number.NaN;
  }
}

/** A bundle of random weights; models and encoders are written once. */
async function randomBundle(shape: string, encoder: string, precision: Precision): Promise<string> {
  const sizes = SHAPES[shape];
  if (!sizes) throw new Error(`--shape '${shape}' is not one of ${Object.keys(SHAPES).join(", ")}`);
  const backbone = await randomCheckpoint(CACHE, shape, sizes, sizes.layers, "F32");
  for (const name of ["tokenizer.json", "tokenizer_config.json"])
    await copyFile(join(TOKENIZER, name), join(backbone, name));
  const frontEnd = await encoderFrontEnd({ nameOrPath: await randomEncoder(encoder), precision });
  const audioSize = frontEnd.encoder?.hidden_size as number;
  const languageModel = await openLanguageModel(backbone);
  const projectorConfig = qpMapperConfig(audioSize, languageModel.config.hiddenSize, {});
  const adapterConfig = loraConfig({ peft_type: "LORA", r: 8, lora_alpha: 16, target_modules: "all-linear" });
  const base = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const parts = {
    languageModel,
    projector: qpMapper(projectorConfig),
    adapter: loraAdapter(adapterConfig, base),
    audioSize,
  };
  const { next } = randomStream(11, "bench bundle");
  const block = Float32Array.from({ length: 2 ** 22 }, () => 0.04 * (next() + next() - 1));
  const parameters = Object.fromEntries(
    Object.entries(trainedShapes(parts)).map(([name, dims]) => {
      const length = dims.reduce((a, b) => a * b, 1);
      return [name, f32(block.slice(0, length), dims)];
    }),
  );
  const tokenizer = await loadTokenizer(backbone);
  const folder = join(CACHE, `serve-${shape}-${encoder}-${precision}`);
  const content = `${wordsOf(tokenizer, PROMPT)} {audio} ${wordsOf(tokenizer, TRANSCRIPT)}`;
  await saveBundle(folder, {
    manifest: {
      base_model: {
        name_or_path: backbone,
        revision: null,
        model_type: "llama",
        fingerprint: await fingerprint(languageModel),
      },
      front_end: {
        ...frontEnd,
        mean: Array.from({ length: audioSize }, () => 0),
        std: Array.from({ length: audioSize }, () => 1),
      },
      labels: { scheme: "iemocap-4", words: LABELS.map((label) => ({ label, word: label })) },
      prompt: {
        name: "bench",
        task: "emotion",
        language: "en",
        messages: [{ role: "user", content }],
        labels: "or",
        example: "{answer}",
        turn: "{speaker}: {text}",
        answer: "word",
      },
      prompt_sha256: "none",
      scoring: { reduction: "sum", temperature: 1, abstain_below: null },
    },
    parameters,
    projectorConfig,
    loraConfig: adapterConfig,
    card: "# Random weights\n",
  });
  return folder;
}

/** A text of about `count` tokens. */
function wordsOf(tokenizer: Tokenizer, count: number): string {
  let text = "";
  while (tokenizer.encode(`${text} the voice`).length <= count) text += " the voice";
  return text.trim();
}

async function randomEncoder(name: string): Promise<string> {
  const sizes = ENCODERS[name];
  if (!sizes) throw new Error(`--encoder '${name}' is not one of ${Object.keys(ENCODERS).join(", ")}`);
  const folder = join(CACHE, `serve-${name}`);
  const file = join(folder, "model.safetensors");
  if (await stat(file).catch(() => undefined)) return folder;
  await mkdir(folder, { recursive: true });
  const { next } = randomStream(13, "bench encoder");
  const noise = Float32Array.from({ length: 5 * 2 ** 20 }, () => 0.07 * (next() + next() - 1));
  const tensors = new Map<string, StoredTensor>();
  for (const [key, shape, value] of wavlmTensors(sizes)) {
    const length = shape.reduce((a, b) => a * b, 1);
    tensors.set(key, {
      dtype: "f32",
      shape,
      data: value === 1 ? new Float32Array(length).fill(1) : noise.subarray(0, length),
    });
  }
  const { d, layers, heads, ffn, stable } = sizes;
  const config = {
    model_type: "wavlm",
    hidden_size: d,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: ffn,
    feat_extract_norm: stable ? "layer" : "group",
    do_stable_layer_norm: stable,
    conv_bias: false,
    num_buckets: 320,
    max_bucket_distance: 800,
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeFile(
    join(folder, "preprocessor_config.json"),
    JSON.stringify({ do_normalize: stable, sampling_rate: 16_000 }),
  );
  await writeSafetensors(file, tensors, { format: "pt" });
  return folder;
}

/** Names, shapes, and 1 for norms. */
function* wavlmTensors({
  d,
  layers,
  heads,
  ffn,
  stable,
}: (typeof ENCODERS)[string]): Generator<[string, number[], number?]> {
  const [channels, kernels] = [512, [10, 3, 3, 3, 3, 2, 2]];
  const linear = function* (name: string, out: number, input: number): Generator<[string, number[]]> {
    yield [`${name}.weight`, [out, input]];
    yield [`${name}.bias`, [out]];
  };
  const norm = function* (name: string, width: number): Generator<[string, number[], number?]> {
    yield [`${name}.weight`, [width], 1];
    yield [`${name}.bias`, [width]];
  };
  for (const [i, kernel] of kernels.entries()) {
    const at = `feature_extractor.conv_layers.${i}`;
    yield [`${at}.conv.weight`, [channels, i === 0 ? 1 : channels, kernel]];
    if (stable || i === 0) yield* norm(`${at}.layer_norm`, channels);
  }
  yield* norm("feature_projection.layer_norm", channels);
  yield* linear("feature_projection.projection", d, channels);
  yield ["encoder.pos_conv_embed.conv.weight", [d, d / 16, 128]];
  yield ["encoder.pos_conv_embed.conv.bias", [d]];
  yield* norm("encoder.layer_norm", d);
  for (let i = 0; i < layers; i++) {
    const at = `encoder.layers.${i}`;
    for (const p of ["q_proj", "k_proj", "v_proj", "out_proj"]) yield* linear(`${at}.attention.${p}`, d, d);
    yield* linear(`${at}.attention.gru_rel_pos_linear`, 8, d / heads);
    yield [`${at}.attention.gru_rel_pos_const`, [1, heads, 1, 1], 1];
    if (i === 0) yield [`${at}.attention.rel_attn_embed.weight`, [320, heads]];
    yield* linear(`${at}.feed_forward.intermediate_dense`, ffn, d);
    yield* linear(`${at}.feed_forward.output_dense`, d, ffn);
    for (const n of ["layer_norm", "final_layer_norm"]) yield* norm(`${at}.${n}`, d);
  }
}
