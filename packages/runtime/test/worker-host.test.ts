/** @file The worker host: the caller's event loop goes on, requests keep their order, and no way of ending aborts the process. */
import { gather, input, matmul, mul, weight } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ProgramHost, f32, i64, openHost, zeros } from "../src/index.ts";
import { runChild } from "./children/run-child.ts";

let host: ProgramHost;
beforeAll(async () => {
  host = await openHost();
});
afterAll(() => host.close());

const chain = (n: number) => {
  const x = input("x", [n, n]);
  return { y: matmul(matmul(matmul(x, x), x), x) };
};

test("runs what compile runs, and hands the results over", async () => {
  const program = await host.compile({ y: mul(input("x", ["rows"]), 3), z: input("x", ["rows"]) });
  expect(program.inputs).toEqual([{ name: "x", dtype: "f32", shape: ["rows"] }]);
  const shared = new Float32Array(new SharedArrayBuffer(8));
  shared.set([4, 5]);
  const part = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
  expect((await program.run({ x: f32(part) })).y?.data).toEqual(Float32Array.of(3, 6));
  expect((await program.run({ x: f32(shared) }, { only: ["y"] })).y?.data).toEqual(Float32Array.of(12, 15));
  const state = f32([1, 2]);
  const out = await program.run({ x: state }, { into: { y: state } });
  expect(out.y).toBe(state);
  expect(state.data).toEqual(Float32Array.of(3, 6));
  await program.dispose();
  await expect(program.run({ x: state })).rejects.toThrow("was disposed");
});

test("weights in memory and several programs", async () => {
  const w = { dtype: "f32", shape: [2], data: Float32Array.of(10, 20) } as const;
  const [a, b] = await Promise.all([
    host.compile({ y: mul(input("x", [2]), weight("w", [2])) }, { weights: new Map([["w", w]]) }),
    host.compile({ y: mul(input("x", [2]), -1) }, { threads: 1 }),
  ]);
  const [ya, yb] = await Promise.all([a.run({ x: f32([1, 2]) }), b.run({ x: f32([1, 2]) })]);
  expect([ya.y?.data, yb.y?.data]).toEqual([Float32Array.of(10, 40), Float32Array.of(-1, -2)]);
});

test("the event loop ticks while it runs", async () => {
  const program = await host.compile(chain(1200), { threads: 1 });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 2);
  const start = performance.now();
  await program.run({ x: zeros("f32", [1200, 1200]) });
  const ms = performance.now() - start;
  clearInterval(timer);
  // Blocked it would be 0 or 1. Others use this machine too, so only a part of the ticks is asked for.
  expect(ticks).toBeGreaterThan(3);
  expect(ms).toBeGreaterThan(20);
});

test("in order; cancelled while waiting, finished once begun", async () => {
  const program = await host.compile(chain(700), { threads: 1 });
  const quick = await host.compile({ y: mul(input("x", [1]), 2) });
  const feeds = { x: zeros("f32", [700, 700]) };
  const order: string[] = [];
  const [begun, waiting] = [new AbortController(), new AbortController()];
  const all = [
    program.run(feeds, { signal: begun.signal }).then(() => order.push("first")),
    program.run(feeds, { signal: waiting.signal }).catch((e: Error) => order.push(e.name)),
    quick.run({ x: f32([1]) }).then(() => order.push("quick")),
    program.run(feeds).then(() => order.push("last")),
  ];
  begun.abort();
  waiting.abort();
  await Promise.all(all);
  expect(order).toEqual(["AbortError", "first", "quick", "last"]);
  await expect(quick.run({ x: f32([1]) }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: "AbortError",
  });
});

test("errors keep their kind, and the host goes on", async () => {
  const program = await host.compile({ y: gather(input("x", [3]), input("i", ["n"], "i64")) });
  const failed = program.run({ x: f32([1, 2, 3]), i: i64([99]) });
  await expect(failed).rejects.toBeInstanceOf(EmosllmError);
  await expect(failed).rejects.toMatchObject({
    code: "runtime_failed",
    message: expect.stringContaining("out of data bounds") as string,
  });
  await expect(program.run({ x: f32([1, 2]), i: i64([0]) })).rejects.toBeInstanceOf(RangeError);
  await expect(host.compile({ y: input("x", [2]) }, { device: "toaster" as "cpu" })).rejects.toThrow(
    "There is no device 'toaster'",
  );
  await expect(host.compile({ y: weight("w", [2]) })).rejects.toMatchObject({ code: "checkpoint_invalid" });
  expect((await program.run({ x: f32([1, 2, 3]), i: i64([2]) })).y?.data).toEqual(Float32Array.of(3));
});

test("closed twice, and asked afterwards", async () => {
  const other = await openHost();
  const program = await other.compile({ y: mul(input("x", [1]), 2) });
  await Promise.all([other.close(), other.close()]);
  await expect(program.run({ x: f32([1]) })).rejects.toThrow("closed");
  await expect(other.compile({ y: input("x", [1]) })).rejects.toThrow("closed");
  await program.dispose();
});

describe("a process ends with its own exit code (onnxruntime aborts with 134 when its thread is ended inside a run)", () => {
  test.each([
    ["close", 0, "y The worker host was closed."],
    ["exit", 7, ""],
    ["exit at once", 8, ""],
    ["throw", 1, ""],
    ["forgotten", 0, "done"],
  ])("%s", (way, code, printed) => {
    const child = runChild("./host.ts", [way]);
    expect({ code: child.code, printed: child.stdout.trim() }, child.stderr).toEqual({ code, printed });
  });
});
