/** Training on onnxruntime-node's WebGPU: state stays there, and the numbers are the CPU's. Runs where EMOSLLM_WEBGPU=1 says that there is a device. */
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gelu, input, matmul, mean, mul, sub } from "@emosllm/graph";
import { deviceMemory, f32 } from "@emosllm/runtime";
import { expect, test } from "vitest";
import {
  type AdamWOptions,
  type LossScaling,
  adamW,
  averageParameters,
  chain,
  constantRate,
  openTrainer,
  randomStream,
} from "../src/index.ts";

const onGpu = test.skipIf(!process.env["EMOSLLM_WEBGPU"]);
const r = randomStream(5, "webgpu test").next;
const noise = (...shape: number[]): ReturnType<typeof f32> =>
  f32(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => r() - 0.5),
    shape,
  );
const batches = [0, 1, 2].map((i) => ({ x: noise(3 + i, 6), y: noise(3 + i, 4) }));
const start = noise(8 * 6 + 4 * 8 + 8).data;

interface Settings {
  readonly options?: AdamWOptions;
  readonly lossScaling?: LossScaling;
  readonly profile?: string;
}

/** Three steps of two micro-batches each, the second of which does not reach `unused`. */
async function train(device: "cpu" | "webgpu", { options = {}, lossScaling, profile }: Settings = {}) {
  const trainer = await openTrainer({
    device,
    shapes: { a: [8, 6], b: [4, 8], unused: [8] },
    optimiser: chain(adamW(constantRate(0.02), { maxGradNorm: 0.5, ...options }), averageParameters(0.9)),
    lossScaling,
    ...(profile === undefined ? {} : { profile }),
    graph: (kind) => {
      const [a, b, unused] = [input("a", [8, 6]), input("b", [4, 8]), input("unused", [8])];
      const hidden = gelu(matmul(input("x", ["rows", 6]), a, { transB: true }));
      const error = sub(matmul(hidden, b, { transB: true }), input("y", ["rows", 4]));
      const loss = mean(mul(error, error));
      return kind === "all"
        ? { loss: mul(loss, mean(mul(unused, unused))), parameters: { a, b, unused } }
        : { loss, parameters: { a, b } };
    },
  });
  trainer.parameters.flat.set(start);
  const losses: number[] = [];
  const norms: number[] = [];
  for (const feeds of batches) {
    losses.push((await trainer.accumulate("all", feeds, true)).loss);
    losses.push((await trainer.accumulate("some", feeds, false)).loss);
    norms.push((await trainer.update()).gradNorm);
  }
  await trainer.fetch();
  const result = {
    losses,
    norms,
    parameters: [...trainer.parameters.flat],
    state: Object.fromEntries(Object.entries(trainer.state.tensors).map(([n, t]) => [n, [...t.data]])),
  };
  await trainer.dispose();
  return result;
}

/** f32 sums in another order; a few steps of AdamW divide by roots of small numbers. */
const close = (got: readonly number[], want: readonly number[]): void =>
  got.forEach((v, i) => expect(Math.abs(v - want[i]!) / (1 + Math.abs(want[i]!)), `[${i}]`).toBeLessThan(2e-4));

onGpu.each([
  ["all parameters in one update", {}],
  ["parameters by name (their rates differ)", { options: { rateFactor: (n: string) => (n === "b" ? 4 : 1) } }],
  ["with loss scaling", { lossScaling: { initial: 4096 } }],
] as [string, Settings][])("%s", async (_, settings) => {
  const [gpu, cpu] = [await train("webgpu", settings), await train("cpu", settings)];
  close(gpu.losses, cpu.losses);
  close(gpu.norms, cpu.norms);
  close(gpu.parameters, cpu.parameters);
  expect(Object.keys(gpu.state)).toEqual(Object.keys(cpu.state));
  for (const [name, values] of Object.entries(cpu.state)) close(gpu.state[name]!, values);
});

onGpu("nothing comes back from the device between the first feed and the loss", async () => {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-webgpu-"));
  try {
    await train("webgpu", { profile: join(folder, "step") });
    const files = await readdir(folder);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const events = JSON.parse(await readFile(join(folder, file), "utf8")) as {
        cat: string;
        args?: { op_name?: string; provider?: string };
      }[];
      const nodes = events.filter((e) => e.cat === "Node" && e.args?.op_name);
      expect(nodes.length).toBeGreaterThan(0);
      expect(nodes.filter((e) => e.args!.op_name === "MemcpyToHost")).toEqual([]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

onGpu("gradients that are not finite change nothing", async () => {
  const trainer = await openTrainer({
    device: "webgpu",
    shapes: { w: [3] },
    optimiser: adamW(constantRate(0.1)),
    graph: () => {
      const w = input("w", [3]);
      return { loss: mean(mul(w, input("x", [3]))), parameters: { w } };
    },
  });
  trainer.parameters.flat.set([1, 2, 3]);
  await trainer.accumulate("all", { x: f32([1, Infinity, 1]) }, true);
  expect((await trainer.update()).skipped).toBe(true);
  await trainer.fetch();
  expect([...trainer.parameters.flat]).toEqual([1, 2, 3]);
  expect([...trainer.state.flat].every((v) => v === 0)).toBe(true);
  await trainer.accumulate("all", { x: f32([1, 2, 1]) }, true);
  expect((await trainer.update()).skipped).toBe(false);
  await trainer.fetch("parameters");
  expect(trainer.parameters.flat[0]).toBeLessThan(1);
  await trainer.dispose();
});

test("only a device that keeps state has memory of its own", async () => {
  await expect(deviceMemory({ w: [2] }, "cpu")).rejects.toThrow("'cpu' keeps no state between programs; 'webgpu' does");
});
