/**
 * @file `bench generate --shape S --precision f32|int8|int4 [--prompt 128 --new 32] [--against torch,llama.cpp --python PYTHON]`: a prompt read and
 * tokens written at random weights. Opponents run in the same call, after us, in a Python that has torch and transformers, or llama-cpp-python
 * (which builds llama.cpp for this machine) and gguf.
 */
import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { type Precision, openLanguageModel } from "@emosllm/backbones";
import { likeliest, openEngine } from "@emosllm/generation";
import { randomStream } from "@emosllm/training";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { SHAPES, llamaConfig } from "./shapes.ts";
import { needPython } from "./python.ts";

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, "../../oracle");
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;
const round = (v: number): number => Number(v.toPrecision(4));

/** Opponents, and what their Python must have. */
const MODULES = { torch: ["torch", "transformers"], "llama.cpp": ["llama_cpp", "gguf"] } as const;
const OPPONENTS: readonly string[] = Object.keys(MODULES);
/** llama.cpp's kind of weights beside ours. */
const GGUF: Readonly<Record<Precision, string>> = { f32: "F16", int8: "Q8_0", int4: "Q4_0" };

/** Runs the benchmark and gives its fields. */
export async function benchGenerate(argv: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      shape: { type: "string", default: "llama-3.2-1b" },
      layers: { type: "string", default: "0" },
      precision: { type: "string", default: "f32" },
      "block-size": { type: "string" },
      prompt: { type: "string", default: "128" },
      new: { type: "string", default: "32" },
      rounds: { type: "string", default: "3" },
      threads: { type: "string", default: String(availableParallelism()) },
      profile: { type: "string" },
      python: { type: "string", default: "python3" },
      "torch-dtype": { type: "string", default: "float32" },
      against: { type: "string", default: "" },
      "prepare-only": { type: "boolean", default: false },
    },
  });
  const whole = (key: "layers" | "prompt" | "new" | "rounds" | "threads", least: number): number => {
    const n = Number(values[key]);
    if (!Number.isInteger(n) || n < least)
      throw new Error(`--${key} must be a whole number >= ${least}, not '${values[key]}'`);
    return n;
  };
  const opponents = values.against.split(",").filter(Boolean);
  const unknown = opponents.find((o) => !OPPONENTS.includes(o));
  if (unknown !== undefined) throw new Error(`--against '${unknown}' is not one of ${OPPONENTS.join(", ")}`);
  const modules = opponents.flatMap((name) => MODULES[name as keyof typeof MODULES]);
  if (modules.length > 0) await needPython(values.python, modules, `generate --against ${values.against}`);
  const sizes = SHAPES[values.shape];
  if (!sizes) throw new Error(`--shape '${values.shape}' is not one of ${Object.keys(SHAPES).join(", ")}`);
  if (!(values.precision in GGUF))
    throw new Error(`--precision '${values.precision}' is not one of ${Object.keys(GGUF).join(", ")}`);
  const precision = values.precision as Precision;
  const [layers, length, tokens, rounds, threads] = [
    whole("layers", 0) || sizes.layers,
    whole("prompt", 1),
    whole("new", 1),
    whole("rounds", 1),
    whole("threads", 1),
  ];
  const root = join(tmpdir(), "emosllm-bench");
  const folder = await randomCheckpoint(root, values.shape, sizes, layers, precision === "f32" ? "F32" : "BF16");
  const gguf = join(root, `${values.shape}-${layers}-${GGUF[precision]}.gguf`);
  const there = await stat(gguf).catch(() => undefined);
  if (opponents.includes("llama.cpp") && !there)
    await run(values.python, [
      join(FOLDER, "random_gguf.py"),
      gguf,
      GGUF[precision],
      JSON.stringify(llamaConfig(sizes, layers)),
    ]);

  const model = await openLanguageModel(folder, {
    precision,
    packing: { cacheFolder: root },
    ...(values["block-size"] === undefined ? {} : { blockSize: Number(values["block-size"]) as 32 }),
  });
  const opened = performance.now();
  const engine = await openEngine(model, {
    threads,
    ...(values.profile === undefined ? {} : { profile: values.profile }),
  });
  const openSeconds = (performance.now() - opened) / 1000;
  if (values["prepare-only"]) {
    await engine.dispose();
    return { shape: values.shape, precision, open_s: round(openSeconds) };
  }
  const random = randomStream(1, "bench prompt").next;
  const prompt = Array.from({ length }, () => 4 + Math.floor(random() * (sizes.vocab - 4)));
  const prefill: number[] = [];
  const decode: number[] = [];
  for (let round_ = 0; round_ < rounds + 1; round_++) {
    const start = performance.now();
    const { cache, logits } = await engine.prefill([prompt], { slots: length + tokens });
    prefill.push((performance.now() - start) / 1000);
    let next = likeliest(logits[0] as Float32Array);
    for (let i = 0; i < tokens; i++) {
      const before = performance.now();
      const [row] = await engine.decode(cache, [next]);
      next = likeliest(row as Float32Array);
      if (round_ > 0) decode.push((performance.now() - before) / 1000);
    }
  }
  prefill.shift();
  const peak = process.resourceUsage().maxRSS / 1024;
  await engine.dispose();
  const ours = { prefill_s: round(median(prefill)), decode_s: round(median(decode)) };
  const result: Record<string, unknown> = {
    shape: values.shape,
    precision,
    prompt: length,
    new: tokens,
    threads,
    ...ours,
    open_s: round(openSeconds),
    peak_rss_mib: Math.round(peak),
  };
  const against = (name: string, theirs: { readonly prefill_s: number; readonly decode_s: number }): void => {
    result[name] = theirs;
    result[`times_${name}`] = {
      prefill: Number((theirs.prefill_s / ours.prefill_s).toFixed(2)),
      decode: Number((theirs.decode_s / ours.decode_s).toFixed(2)),
    };
  };
  const opponent = async (script: string, first: string, ...more: readonly string[]): Promise<never> => {
    const flags = [first, ...more, String(length), String(tokens), String(rounds), String(threads)];
    const { stdout } = await run(values.python, [join(FOLDER, script), ...flags], { maxBuffer: 1 << 24 });
    return JSON.parse(stdout) as never;
  };
  if (opponents.includes("llama.cpp"))
    against(`llama_cpp_${GGUF[precision]}`, await opponent("llama_cpp_bench.py", gguf));
  if (opponents.includes("torch")) {
    const config = JSON.stringify(llamaConfig(sizes, layers));
    against(`torch_${values["torch-dtype"]}`, await opponent("generate_bench.py", config, values["torch-dtype"]));
  }
  return result;
}
