/** @file Backbones with 8- and 4-bit linear layers: how far from f32, in values and gradients, and which layers they are. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TensorSource, openCheckpoint, writeSafetensors } from "@emosllm/checkpoints";
import { type Tensor, gradients, input, matmul, mul, reshape, sum, topologicalOrder, weight } from "@emosllm/graph";
import { type HostTensor, compile, evaluate, f32 } from "@emosllm/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PrecisionOptions, causalLayout, openLanguageModel, openSpeechEncoder } from "../src/index.ts";
import { type PackedProduct, matMulPacked, packLinears, withPacked } from "../src/precision.ts";
import { fixture, golden, ids } from "./golden.ts";

let cache: string;
beforeAll(async () => void (cache = await mkdtemp(join(tmpdir(), "emosllm-precision-"))));
afterAll(() => rm(cache, { recursive: true }));
const options = (o: PrecisionOptions): PrecisionOptions => ({ ...o, packing: { cacheFolder: cache, threads: 1 } });

const values = (t: HostTensor | undefined): Float32Array => t?.data as Float32Array;
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((s, v, i) => s + v * (b[i] as number), 0);
const cosine = (a: Float32Array, b: Float32Array): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
/** Root mean square of the difference, relative to b's. */
const error = (a: Float32Array, b: Float32Array): number => {
  const d = a.map((v, i) => v - (b[i] as number));
  return Math.sqrt(dot(d, d) / dot(b, b));
};
const products = (...t: Tensor[]): number =>
  topologicalOrder(t).filter(({ op }) => /^matMul(NBits|Int8)$/.test(op)).length;

/**
 * A block of Gaussian weights has an RMS rounding error of 0.5 % of its values at 8 bits and of 8 % at 4 (blocks of 32), activations at
 * 8 bits 0.5 %, in f16 0.02 %; errors of different layers add as squares, and random models of 2 layers pass on a few times a layer's.
 */
const LIMITS = { f16: 0.004, int8: 0.03, int4: 0.4 } as const;
/** Widths of 32 and 64 leave few terms to average over (0.88 was the least at 4 bits); the README has those of real sizes. */
const COSINE = { f16: 0.99999, int8: 0.998, int4: 0.85 } as const;

const MODELS = ["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3", "phi3"];
describe.each(MODELS)("%s", (name) => {
  test.each(["f16", "int8", "int4"] as const)("%s: logits and gradients are near those of f32", async (precision) => {
    const reference = await golden(name);
    const given = ids(reference("input_ids"));
    const [rows, steps] = given.shape as [number, number];
    const run = async (o: PrecisionOptions): Promise<{ logits: Float32Array; gradient: Float32Array }> => {
      const model = await openLanguageModel(fixture(name), options(o));
      const tokens = input("ids", [rows, steps], "i64");
      const embedded = model.embed(reshape(tokens, [rows * steps]));
      const start = mul(embedded, input("ones", embedded.shape));
      const logits = model.head(model.layers(start, causalLayout({ rows, suffix: steps })));
      const [gradient] = gradients(sum(mul(logits, input("d", logits.shape))), [start]) as [Tensor];
      if (o.precision !== undefined && o.precision !== "f16") {
        expect(products(logits)).toBe(model.linearPaths.length + 1);
        expect(products(logits, gradient) - products(logits)).toBe(
          o.backward === "quantised" ? model.linearPaths.length + 1 : 0,
        );
      }
      const size = (t: Tensor): number[] => t.shape as number[];
      const wave = (shape: readonly number[]): HostTensor =>
        f32(
          Float32Array.from({ length: shape.reduce((p, d) => p * d, 1) }, (_, i) => Math.sin(i * i + 1)),
          shape,
        );
      const ones = f32(new Float32Array(rows * steps * model.config.hiddenSize).fill(1), size(start));
      const out = await evaluate(
        { logits, gradient },
        { ids: given, ones, d: wave(size(logits)) },
        { weights: model.weights, threads: 1 },
      );
      return { logits: values(out.logits), gradient: values(out.gradient) };
    };
    const exact = await run({});
    const ways = [
      { blockSize: 32, backward: "exact" },
      { blockSize: 32, backward: "quantised" },
      ...(precision === "int8" ? ([{ blockSize: "row", backward: "quantised" }] as const) : []),
    ] as const;
    for (const way of ways) {
      const { logits, gradient } = await run({ precision, ...way });
      const far = error(logits, exact.logits);
      expect(far).toBeGreaterThan(1e-4);
      expect(far).toBeLessThan(LIMITS[precision]);
      expect(cosine(gradient, exact.gradient)).toBeGreaterThan(COSINE[precision]);
    }
  });
});

/** Of the seven, all but the first, which sees one channel. */
const CONVOLUTIONS = 6;
/** The convolutions have 8 channels here, and a block of one frame decides what the next norm sees. */
const FRAME_LIMITS = { f16: 0.01, int8: 0.08, int4: 0.4 } as const;
describe.each(["wavlm-large", "wav2vec2-base", "hubert-large", "whisper"])("%s", (name) => {
  test.each(["f16", "int8", "int4"] as const)("%s: frames are near those of f32", async (precision) => {
    const reference = await golden(name);
    const sound = reference("waveform");
    const samples = sound.shape[1] as number;
    const frames = async (o: PrecisionOptions): Promise<Float32Array> => {
      const encoder = await openSpeechEncoder(fixture(name), options(o));
      const { last } = encoder.build(input("wave", [1, "samples"]));
      if (o.precision !== undefined && o.precision !== "f16")
        expect(products(last)).toBe(encoder.linearPaths.length + (name === "whisper" ? 0 : CONVOLUTIONS));
      const out = await evaluate(
        { last },
        { wave: f32((sound.data as Float32Array).slice(0, samples), [1, samples]) },
        { weights: encoder.weights, threads: 1 },
      );
      return values(out.last);
    };
    const exact = await frames({});
    for (const blockSize of precision === "int8" ? ([undefined, "row"] as const) : [undefined]) {
      const far = error(await frames({ precision, blockSize }), exact);
      expect(far).toBeGreaterThan(1e-4);
      expect(far).toBeLessThan(FRAME_LIMITS[precision]);
    }
  });
});

describe("a layer as large as in Llama 3.2 3B", () => {
  // RMS error of values and of gradients; 1 % of the channels twenty times as large as the others, or none.
  const LARGEST = {
    "int8/32": [0.008, 0.015],
    "int8/128": [0.011, 0.025],
    // A row's largest value is larger than a block's, and a loud channel is felt by the whole row.
    "int8/row": [0.016, 0.08],
    "int4/32": [0.09, 0.09],
    "int4/128": [0.12, 0.12],
  } as const;
  const [out, width, tokens] = [3072, 3072, 16];
  let state = 1;
  const uniform = (): number => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) + 0.5) / 2 ** 32;
  const gaussian = (n: number): Float32Array =>
    Float32Array.from({ length: n }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  let source: TensorSource;
  beforeAll(async () => {
    const file = join(cache, "layer.safetensors");
    await writeSafetensors(file, new Map([["w", { dtype: "f32", shape: [out, width], data: gaussian(out * width) }]]));
    source = (await openCheckpoint(file)).tensors.get("w") as TensorSource;
  });

  test.each(Object.entries(LARGEST))("%s", async (name, limits) => {
    const [precision, size] = name.split("/") as ["int8" | "int4", string];
    const packing = { cacheFolder: cache, threads: 1 };
    const blockSize = size === "row" ? size : (Number(size) as 32 | 128);
    const packed = await packLinears([{ path: "w", source }], { precision, blockSize, backward: "quantised", packing });
    const [x, d] = [input("x", ["n", width]), input("d", ["n", out])];
    const w = weight("w", [out, width]);
    const y = {
      exact: matmul(x, w, { transB: true }),
      ours: matMulPacked(x, packed.matrices.get("w") as PackedProduct),
    };
    const gradient = (of: Tensor): Tensor => gradients(sum(mul(of, d)), [x])[0] as Tensor;
    const program = await compile(
      { ...y, exactGradient: gradient(y.exact), oursGradient: gradient(y.ours) },
      { weights: withPacked(new Map([["w", source]]), packed), threads: 2 },
    );
    const errors: number[][] = [];
    for (const [i, factor] of [1, 20].entries()) {
      const loud = (n: number): Float32Array =>
        gaussian(tokens * n).map((v, at) => ((at % n) % 100 === 7 ? v * factor : v));
      const r = await program.run({ x: f32(loud(width), [tokens, width]), d: f32(loud(out), [tokens, out]) });
      const of = (a: string, b: string): number => error(values(r[a]), values(r[b]));
      errors.push([of("ours", "exact"), of("oursGradient", "exactGradient")]);
      for (const e of errors[i] as number[]) expect(e).toBeLessThan(limits[i] as number);
    }
    await program.dispose();
    console.log(
      `${name}: RMS error of values, gradients ${errors.map((e) => e.map((v) => v.toFixed(4)).join(", ")).join("; with loud channels ")}`,
    );
  });
});

test("blocks are as long as asked for, but not longer than a side of the matrix", async () => {
  const model = await openLanguageModel(fixture("llama"), options({ precision: "int8" }));
  const sizes = [...model.weights].filter(([n]) => n.endsWith(".packed")).map(([, t]) => t.shape[2]);
  expect(new Set(sizes)).toEqual(new Set([32]));
});

test("unknown options are refused by name", async () => {
  const open = (o: object): Promise<unknown> => openLanguageModel(fixture("llama"), options(o as PrecisionOptions));
  await expect(open({ precision: "int3" })).rejects.toThrow("precision 'int3' is not one of f32, f16, int8, int4");
  await expect(open({ precision: "int8", blockSize: 48 })).rejects.toThrow(
    "blockSize '48' is not one of 32, 64, 128, 256, row",
  );
  await expect(open({ precision: "int4", blockSize: "row" })).rejects.toThrow(
    "blockSize 'row' is not one of 32, 64, 128, 256",
  );
  await expect(open({ precision: "int8", backward: "none" })).rejects.toThrow(
    "backward 'none' is not one of exact, quantised",
  );
  const encoder = openSpeechEncoder(fixture("wavlm-large"), { precision: "f8" as "int8" });
  await expect(encoder).rejects.toThrow("precision 'f8' is not one of f32, f16, int8, int4");
});
