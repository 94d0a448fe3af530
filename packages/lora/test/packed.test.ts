/** @file Adapters over layers that are held as 8- and 4-bit integers: DoRA's magnitudes, whole modules, embeddings. */
import { type Precision, causalLayout, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, loadSafetensors, readTensor } from "@emosllm/checkpoints";
import { type Tensor, gradients, input, mul, reshape, sum } from "@emosllm/graph";
import { type HostTensor, compile, f32, feedsOf, hostTensor } from "@emosllm/runtime";
import { expect, test } from "vitest";
import { loadAdapter, loraNames } from "../src/index.ts";
import { fixture, scratch } from "./fixture.ts";

const rms = (a: Float32Array): number => Math.sqrt(a.reduce((s, v) => s + v * v, 0) / a.length);
/** Root mean square of the difference, relative to b's. */
const error = (a: Float32Array, b: Float32Array): number => rms(a.map((v, i) => v - (b[i] as number))) / rms(b);

async function logitsOf(variant: string, precision: Precision): Promise<Record<"adapted" | "plain", Float32Array>> {
  const packing = { cacheFolder: await scratch(), threads: 1 };
  const model = await openLanguageModel(fixture(`${variant}/backbone`), { precision, packing });
  const base = { linearPaths: model.linearPaths, tensors: model.checkpoint.tensors };
  const { adapter, tensors } = await loadAdapter(fixture(`${variant}/adapter`), base);
  const ids = (await loadSafetensors(fixture(`${variant}/golden.safetensors`))).get("input_ids") as StoredTensor;
  const [rows, length] = ids.shape as [number, number];
  const tokens = reshape(input("ids", [rows, length], "i64"), [rows * length]);
  const build = (m: Pick<typeof model, "embed" | "layers" | "head">) =>
    m.head(m.layers(m.embed(tokens), causalLayout({ rows, suffix: length })));
  const program = await compile(
    { adapted: build(adapter.adapt(model, input)), plain: build(model) },
    { weights: model.weights, threads: 1 },
  );
  try {
    const feeds: Record<string, HostTensor> = { ids: hostTensor("i64", ids.shape, ids.data as BigInt64Array) };
    for (const [name, t] of tensors) feeds[name] = f32(t.data, t.shape);
    const out = await program.run(feedsOf(program, feeds));
    const values = (name: string): Float32Array => Float32Array.from(out[name]?.data as Float32Array);
    return { adapted: values("adapted"), plain: values("plain") };
  } finally {
    await program.dispose();
  }
}

test.each([
  ["adapters/dora", "int8"],
  ["adapters/dora", "int4"],
  ["adapters/save-head", "int8"],
  ["outside/embeddings-dora", "int8"],
  ["outside/save-norms", "int4"],
  ["outside/tied-ensured", "int8"],
  ["outside/tokens", "int4"],
] as const)(
  "%s over %s: as near to PEFT's logits as the packed base is to the plain one",
  async (variant, precision) => {
    const golden = await loadSafetensors(fixture(`${variant}/golden.safetensors`));
    const wanted = (name: string): Float32Array => golden.get(name)?.data as Float32Array;
    const { adapted, plain } = await logitsOf(variant, precision);
    const own = error(plain, wanted("base_logits"));
    // Packing itself: 8 bits 1 %, 4 bits 15 % in models of 16 columns; a missing magnitude, bias or matrix is off by far more.
    expect(own).toBeLessThan(precision === "int8" ? 0.02 : 0.25);
    expect(error(adapted, wanted("logits"))).toBeLessThan(2 * own + 0.005);
    expect(error(plain, wanted("logits"))).toBeGreaterThan(0.1);
  },
);

test.each(["int8", "int4"] as const)(
  "DoRA over %s, one layer: m / |W + s B A| (W x + s B A x) + b and its gradients, where W x is the packed product",
  async (precision) => {
    const packing = { cacheFolder: await scratch(), threads: 1 };
    const model = await openLanguageModel(fixture("adapters/dora/backbone"), { precision, packing });
    const base = { linearPaths: model.linearPaths, tensors: model.checkpoint.tensors };
    const { adapter, tensors } = await loadAdapter(fixture("adapters/dora/adapter"), base);
    const path = "model.layers.1.self_attn.q_proj";
    const names = loraNames(path);
    const x = input("x", [3, 16]);
    const parameters: Record<string, Tensor> = {};
    const [y] = adapter.adapt(model, (name, shape) => (parameters[name] ??= input(name, shape))).linear([path], x);
    const [raw] = model.linear([path], x);
    if (!y || !raw) throw new Error("no layer");
    const inputs = [names.a, names.b, names.magnitude].map((n) => parameters[n] as Tensor);
    const [dA, dB, dM] = gradients(sum(mul(y, input("dy", y.shape))), inputs);
    if (!dA || !dB || !dM) throw new Error("no gradients");
    const program = await compile({ y, raw, dA, dB, dM }, { weights: model.weights, threads: 1 });
    const wave = (n: number, k: number): Float32Array =>
      Float32Array.from({ length: n }, (_, i) => Math.sin(k * i + i * i));
    const [xs, dy] = [wave(48, 1), wave(48, 2)];
    const fed: Record<string, HostTensor> = { x: f32(xs, [3, 16]), dy: f32(dy, [3, 16]) };
    for (const [name, t] of tensors) fed[name] = f32(t.data, t.shape);
    const out = await program.run(feedsOf(program, fed));
    const got = (name: string): Float32Array => out[name]?.data as Float32Array;

    // The formula again, in float64 and by hand; the norm is a constant (DoRA, section 4.3).
    const number = (name: string) => tensors.get(name)?.data as Float32Array;
    const [A, B, m] = [number(names.a), number(names.b), number(names.magnitude)];
    const read = async (name: string) => readTensor(base.tensors.get(name) as Parameters<typeof readTensor>[0], "f32");
    const [W, b] = [await read(`${path}.weight`), await read(`${path}.bias`)];
    const [r, s] = [adapter.targets.find((t) => t.path === path)?.rank ?? 0, adapter.targets[0]?.scaling ?? 0];
    const at = (t: Float32Array, row: number, width: number, i: number): number => t[row * width + i] as number;
    const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
    const total = (n: number, f: (i: number) => number): number => range(n).reduce((acc, i) => acc + f(i), 0);
    const BA = (o: number, i: number): number => total(r, (k) => at(B, o, r, k) * at(A, k, 16, i));
    const norm = range(16).map((o) => Math.sqrt(total(16, (i) => (at(W, o, 16, i) + s * BA(o, i)) ** 2)));
    const factor = range(16).map((o) => (m[o] as number) / (norm[o] as number));
    const low = (t: number, k: number): number => total(16, (i) => at(xs, t, 16, i) * at(A, k, 16, i));
    const moved = (t: number, o: number): number =>
      at(got("raw"), t, 16, o) - (b[o] as number) + s * total(r, (k) => at(B, o, r, k) * low(t, k));
    const up = (t: number, o: number): number => at(dy, t, 16, o) * (factor[o] as number) * s;
    const wanted = {
      y: range(48).map((i) => (factor[i % 16] as number) * moved(Math.floor(i / 16), i % 16) + (b[i % 16] as number)),
      dA: range(r * 16).map((i) =>
        total(3, (t) => total(16, (o) => up(t, o) * at(B, o, r, Math.floor(i / 16))) * at(xs, t, 16, i % 16)),
      ),
      dB: range(16 * r).map((i) => total(3, (t) => up(t, Math.floor(i / r)) * low(t, i % r))),
      dM: range(16).map((o) => total(3, (t) => (at(dy, t, 16, o) * moved(t, o)) / (norm[o] as number))),
    };
    await program.dispose();
    // f32 against f64 over sums of 16 and 3 terms.
    for (const [name, values] of Object.entries(wanted))
      expect(error(got(name), Float32Array.from(values)), name).toBeLessThan(2e-6);
  },
);
