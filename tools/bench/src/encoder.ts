/**
 * @file `bench encoder --shape wavlm-large --seconds 5 --precision P`: one pass of a speech encoder at random weights. With `--python PYTHON`
 * (one that has torch and transformers) the opponent runs in turn with us.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Precision, blockForManyTokens, openSpeechEncoder } from "@emosllm/backbones";
import { input } from "@emosllm/graph";
import { compile, f32, i64 } from "@emosllm/runtime";
import { randomStream } from "@emosllm/training";
import { writeRandomModel } from "./random-checkpoint.ts";
import { round } from "./set-up.ts";
import { needPython } from "./python.ts";

interface EncoderSizes {
  readonly hidden: number;
  readonly ffn: number;
  readonly layers: number;
  readonly heads: number;
}
const SHAPES: Readonly<Record<string, EncoderSizes>> = {
  "wavlm-large": { hidden: 1024, ffn: 4096, layers: 24, heads: 16 },
};
const KERNELS = [10, 3, 3, 3, 3, 2, 2];
const CHANNELS = 512;
const BUCKETS = 320;

/** `config.json` of a WavLM in its large form. */
const wavlmConfig = ({ hidden, ffn, layers, heads }: EncoderSizes): Record<string, unknown> => ({
  model_type: "wavlm",
  hidden_size: hidden,
  intermediate_size: ffn,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  feat_extract_norm: "layer",
  do_stable_layer_norm: true,
  conv_bias: false,
  num_buckets: BUCKETS,
});

function wavlmTensors({ hidden, ffn, layers, heads }: EncoderSizes): [string, number[]][] {
  const list: [string, number[]][] = [];
  const affine = (name: string, ...shape: number[]): void =>
    void list.push([`${name}.weight`, shape], [`${name}.bias`, shape.slice(0, 1)]);
  KERNELS.forEach((kernel, i) => {
    list.push([`feature_extractor.conv_layers.${i}.conv.weight`, [CHANNELS, i === 0 ? 1 : CHANNELS, kernel]]);
    affine(`feature_extractor.conv_layers.${i}.layer_norm`, CHANNELS);
  });
  affine("feature_projection.layer_norm", CHANNELS);
  affine("feature_projection.projection", hidden, CHANNELS);
  affine("encoder.pos_conv_embed.conv", hidden, hidden / 16, 128);
  affine("encoder.layer_norm", hidden);
  for (let i = 0; i < layers; i++) {
    const at = `encoder.layers.${i}`;
    for (const p of ["q_proj", "k_proj", "v_proj", "out_proj"]) affine(`${at}.attention.${p}`, hidden, hidden);
    affine(`${at}.attention.gru_rel_pos_linear`, 8, hidden / heads);
    list.push([`${at}.attention.gru_rel_pos_const`, [1, heads, 1, 1]]);
    if (i === 0) list.push([`${at}.attention.rel_attn_embed.weight`, [BUCKETS, heads]]);
    affine(`${at}.feed_forward.intermediate_dense`, ffn, hidden);
    affine(`${at}.feed_forward.output_dense`, hidden, ffn);
    for (const norm of ["layer_norm", "final_layer_norm"]) affine(`${at}.${norm}`, hidden);
  }
  return list;
}

const PYTHON = `
import sys, time, torch
from transformers import WavLMConfig, WavLMModel
dtype, seconds, threads = getattr(torch, sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
c = WavLMConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=False)
m = WavLMModel(c).eval().to(dtype)
x = torch.randn(1, int(16000 * seconds)).to(dtype)
best = []
with torch.inference_mode():
    for _ in range(4):
        t = time.perf_counter(); m(x, output_hidden_states=True); best.append(time.perf_counter() - t)
print(min(best))
`;

export async function benchEncoder(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      shape: { type: "string", default: "wavlm-large" },
      seconds: { type: "string", default: "5" },
      precision: { type: "string", default: "f32" },
      threads: { type: "string", default: String(availableParallelism()) },
      rounds: { type: "string", default: "5" },
      profile: { type: "string" },
      python: { type: "string" },
    },
  });
  const sizes = SHAPES[values.shape];
  if (!sizes) throw new Error(`--shape '${values.shape}' is not one of ${Object.keys(SHAPES).join(", ")}`);
  const [seconds, threads, rounds] = [Number(values.seconds), Number(values.threads), Number(values.rounds)];
  if (!(seconds >= 0.03)) throw new Error(`--seconds must be 0.03 or more, not '${values.seconds}'`);
  if (values.python !== undefined) await needPython(values.python, ["torch", "transformers"], "encoder");
  const root = join(tmpdir(), "emosllm-bench");
  const folder = join(root, values.shape);
  const files = {
    "config.json": wavlmConfig(sizes),
    "preprocessor_config.json": { do_normalize: true, sampling_rate: 16_000 },
  };
  await writeRandomModel(folder, files, wavlmTensors(sizes), "F32");
  const encoder = await openSpeechEncoder(folder, {
    precision: values.precision as Precision,
    blockSize: blockForManyTokens(values.precision as Precision),
    packing: { cacheFolder: root },
  });
  const states = encoder.build(input("wave", ["rows", "samples"]), input("lengths", ["rows"], "i64"));
  const outputs = { last: states.last, ...Object.fromEntries(states.hidden.map((h, i) => [`hidden.${i}`, h])) };
  const program = await compile(outputs, {
    weights: encoder.weights,
    threads,
    ...(values.profile === undefined ? {} : { profile: values.profile }),
  });
  const samples = Math.floor(seconds * 16_000);
  const r = randomStream(3, "bench sound").next;
  const wave = f32(
    Float32Array.from({ length: samples }, () => r() * 2 - 1),
    [1, samples],
  );
  const ours: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const began = performance.now();
    await program.run({ wave, lengths: i64([samples]) });
    ours.push((performance.now() - began) / 1000);
  }
  await program.dispose();
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  const theirs = (dtype: string): number =>
    Number(
      execFileSync(values.python as string, ["-c", PYTHON, dtype, values.seconds, values.threads], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );
  const run_s = round(Math.min(...ours));
  const opponent =
    values.python === undefined
      ? {}
      : { transformers_f32_s: round(theirs("float32")), transformers_bf16_s: round(theirs("bfloat16")) };
  return { shape: values.shape, precision: values.precision, seconds, run_s, peak_rss_mib: peak, ...opponent };
}
