/** @file `bench train`: one training step at random weights, the reference's flags and fields. */
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openLanguageModel } from "@emosllm/backbones";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { layOutBatch, openScorer } from "@emosllm/model";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import { adamW, constantRate, openEmoSllmTrainer, randomStream } from "@emosllm/training";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { SHAPES, randomRows } from "./shapes.ts";

/** Precisions of the frozen weights. */
export const PRECISIONS = ["f32"] as const;

/** Runs the benchmark and gives its fields. */
export async function benchTrain(argv: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      shape: { type: "string", default: "smollm2-135m" },
      layers: { type: "string", default: "0" },
      batch: { type: "string", default: "8" },
      frames: { type: "string", default: "250" },
      "d-audio": { type: "string", default: "1024" },
      "d-map": { type: "string", default: "768" },
      queries: { type: "string", default: "32" },
      prefix: { type: "string", default: "80" },
      transcript: { type: "string", default: "24" },
      steps: { type: "string", default: "3" },
      positions: { type: "string", default: "none" },
      rank: { type: "string", default: "8" },
      targets: { type: "string", default: "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj" },
      seed: { type: "string", default: "0" },
      lr: { type: "string", default: "1e-3" },
      threads: { type: "string", default: String(availableParallelism()) },
      precision: { type: "string", default: "f32" },
      // The reference's own, so that its command line can be pasted.
      dtype: { type: "string", default: "float32" },
      out: { type: "string" },
      profile: { type: "string" },
    },
  });
  const number = (
    key: Exclude<keyof typeof values, "shape" | "positions" | "targets" | "precision" | "dtype" | "out">,
  ): number => {
    const n = Number(values[key]);
    if (!Number.isFinite(n)) throw new Error(`--${key} must be a number, not '${values[key]}'`);
    return n;
  };
  const sizes = SHAPES[values.shape];
  if (!sizes) throw new Error(`--shape '${values.shape}' is not one of ${Object.keys(SHAPES).join(", ")}`);
  if (values.positions !== "none" && values.positions !== "sinusoidal")
    throw new Error(`--positions '${values.positions}' is not one of none, sinusoidal`);

  if (values.dtype !== "float32")
    throw new Error(
      `--dtype '${values.dtype}' is PyTorch's; here it is float32, and --precision says how the frozen weights are held`,
    );
  if (!(PRECISIONS as readonly string[]).includes(values.precision))
    throw new Error(`--precision '${values.precision}' is not one of ${PRECISIONS.join(", ")}`);
  const layers = number("layers") || sizes.layers;
  const folder = await randomCheckpoint(join(tmpdir(), "emosllm-bench"), values.shape, sizes, layers, "F32");
  const languageModel = await openLanguageModel(folder);
  const audioSize = number("d-audio");
  const queries = number("queries");
  const projector = qpMapper(
    qpMapperConfig(audioSize, sizes.hidden, {
      num_queries: queries,
      hidden_size: number("d-map"),
      positions: values.positions,
    }),
  );
  const config = loraConfig({
    peft_type: "LORA",
    r: number("rank"),
    lora_alpha: 2 * number("rank"),
    target_modules: values.targets.split(","),
  });
  const adapter = loraAdapter(config, {
    linearPaths: languageModel.linearPaths,
    tensors: languageModel.checkpoint.tensors,
  });
  const parts = { languageModel, projector, adapter, audioSize };
  const options = { threads: number("threads"), ...(values.profile === undefined ? {} : { profile: values.profile }) };
  const trainer = await openEmoSllmTrainer({ parts, optimiser: adamW(constantRate(number("lr"))), ...options });
  const r = randomStream(number("seed"), "bench parameters").next;
  for (let i = 0; i < trainer.parameters.flat.length; i++) trainer.parameters.flat[i] = (r() - 0.5) * 0.05;
  const rows = randomRows(
    {
      batch: number("batch"),
      frames: number("frames"),
      dAudio: audioSize,
      prefix: number("prefix"),
      transcript: number("transcript"),
      seed: number("seed"),
    },
    sizes.vocab,
  );
  const batch = layOutBatch(rows, { queries, audioSize });

  const steps = number("steps");
  const train: number[] = [];
  const update: number[] = [];
  for (let i = 0; i < steps + 1; i++) {
    const start = performance.now();
    await trainer.accumulate(batch, true);
    const middle = performance.now();
    await trainer.update();
    train.push(performance.now() - start);
    update.push(performance.now() - middle);
  }
  const trainPeak = process.resourceUsage().maxRSS;
  const parameters = trainer.parameters.tensors;
  const scorer = openScorer(parts, options);
  const infer: number[] = [];
  for (let i = 0; i < steps + 1; i++) {
    const start = performance.now();
    await scorer.score(rows, parameters);
    infer.push(performance.now() - start);
  }
  await scorer.dispose();
  await trainer.dispose();
  const step = Math.min(...train) / 1000;
  return {
    shape: values.shape,
    dtype: "float32",
    precision: values.precision,
    batch: rows.length,
    tokens: batch.tokens,
    train_step_s: round(step),
    update_s: round(Math.min(...update) / 1000),
    infer_s: round(Math.min(...infer) / 1000),
    peak_rss_mib: Math.round(trainPeak / 1024),
    train_utterances_per_s: round(rows.length / step),
  };
}

const round = (v: number): number => Number(v.toPrecision(4));
