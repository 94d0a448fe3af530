/** @file Programs on TensorFlow.js: state written in place, tensors disposed exactly, weights from files, what is refused. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { add, cast, gradients, input, matmul, mul, sub, sum, tanh, weight } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { expect, test } from "vitest";
import { type Device, checkDevice, compile, f32, i64 } from "../src/index.ts";
import { isTfjsDevice } from "../src/tfjs/devices.ts";
import { loadTfjs } from "../src/tfjs/index.ts";
import { TFJS } from "./tfjs-devices.ts";

test.each(TFJS)(
  "%s: 200 training steps leave as many tensors as there were, and learn what onnxruntime learns",
  async (device) => {
    const [x, w, target] = [input("x", ["rows", 3]), input("w", [3, 2]), input("target", ["rows", 2])];
    const error = sub(tanh(matmul(x, w)), target);
    const loss = sum(mul(error, error));
    const [dw] = gradients(loss, [w]);
    const outputs = { loss, w: sub(w, mul(dw!, 0.05)) };
    const feeds = { x: f32([1, -2, 0.5, 0.3, 0.7, -1], [2, 3]), target: f32([0.5, -0.5, 0.1, 0.9], [2, 2]) };
    const learn = async (device: Device): Promise<Float32Array> => {
      const program = await compile(outputs, { device });
      const state = f32(new Float32Array(6).fill(0.1), [3, 2]);
      const tf = isTfjsDevice(device) ? await loadTfjs(device) : undefined;
      let before: number | undefined;
      for (let step = 0; step < 200; step++) {
        await program.run({ ...feeds, w: state }, { into: { w: state } });
        before ??= tf?.memory().numTensors;
      }
      expect(tf?.memory().numTensors).toBe(before);
      await program.dispose();
      return state.data;
    };
    const [here, there] = [await learn(device), await learn("cpu")];
    // 200 steps of f32 roundings in a problem that contracts: 1e-5 is a hundred of them.
    here.forEach((v, i) => expect(Math.abs(v - there[i]!)).toBeLessThan(1e-5));
  },
);

test("a run that fails leaves no tensor, and frozen weights go when the program goes", async () => {
  const tf = await loadTfjs("tfjs-wasm");
  const before = tf.memory().numTensors;
  const program = await compile(
    { y: add(mul(input("x", [2]), weight("w", [2])), input("z", [2])) },
    { device: "tfjs-wasm", weights: () => f32([3, 4]) },
  );
  expect(tf.memory().numTensors).toBe(before + 1);
  await expect(program.run({ x: f32([1, 2]) })).rejects.toThrow("The input 'z' f32[2] is missing.");
  await program.dispose();
  await expect(program.run({ x: f32([1, 2]), z: f32([1, 2]) })).rejects.toThrow("disposed");
  expect(tf.memory().numTensors).toBe(before);
});

test("weights come from a range of a file, bf16 widened; what does not fit is refused", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "tfjs-")), "w.bin");
  // 1, -2, 0.5 as bf16 after three bytes of something else.
  await writeFile(file, Uint8Array.of(9, 9, 9, 0x80, 0x3f, 0x00, 0xc0, 0x00, 0x3f));
  const source = { dtype: "bf16", shape: [3], file, offset: 3, length: 6 };
  const outputs = { y: mul(input("x", [3]), cast(weight("w", [3], "bf16"), "f32")) };
  const program = await compile(outputs, { device: "tfjs-cpu", weights: new Map([["w", source]]) });
  expect([...(await program.run({ x: f32([1, 2, 3]) }))["y"]!.data]).toEqual([1, -4, 1.5]);
  await program.dispose();
  const refused = (weights: Map<string, typeof source>): Promise<unknown> =>
    compile(outputs, { device: "tfjs-cpu", weights }).catch((e: unknown) => e);
  expect(await refused(new Map())).toMatchObject({ code: "checkpoint_invalid" });
  expect(await refused(new Map([["w", { ...source, offset: 5 }]]))).toBeInstanceOf(EmosllmError);
});

test("whole numbers beyond 32 bits are refused, not cut", async () => {
  const program = await compile({ y: add(input("x", [1], "i64"), input("x", [1], "i64")) }, { device: "tfjs-cpu" });
  await expect(program.run({ x: i64([2 ** 40]) })).rejects.toThrow("The input 'x' holds 1099511627776");
  expect((await program.run({ x: i64([-7]) }))["y"]!.data).toEqual(BigInt64Array.of(-14n));
  await program.dispose();
});

test("a backend that is not installed says what to install", async () => {
  const error = await compile({ y: input("x", [1]) }, { device: "tfjs-gpu" }).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "device_unavailable" });
  expect((error as Error).message).toContain("npm install @tensorflow/tfjs-node-gpu");
});

// Not in plain JavaScript, where the products alone take ten seconds.
test.each(TFJS.filter((d) => d !== "tfjs-cpu"))("%s: the check that users run finds it set up", async (device) => {
  const { ok, difference, gflops } = await checkDevice(device);
  expect(ok).toBe(true);
  // Another order of sums, and TensorFlow.js' own erf; not the same code, so not nothing.
  expect(difference).toBeGreaterThan(0);
  expect(difference).toBeLessThan(1e-5);
  expect(gflops).toBeGreaterThan(0);
});

test("the check names what a device lacks", async () => {
  await expect(checkDevice("tfjs-gpu")).rejects.toThrow("npm install @tensorflow/tfjs-node-gpu");
  await expect(checkDevice("cuda")).rejects.toThrow("CUDA 12");
});
