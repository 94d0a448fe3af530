/** @file What a program accepts, what it refuses and how it says so; state updated in place. */
import { readdirSync, readFileSync } from "node:fs";
import {
  type Tensor,
  add,
  cast,
  div,
  gather,
  gelu,
  gradients,
  input,
  matmul,
  mul,
  reshape,
  scatterAdd,
  softmaxCrossEntropy,
  sqrt,
  sub,
  sum,
  transpose,
  where,
  greater,
} from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { describe, expect, test } from "vitest";
import { type HostTensor, compile, evaluate, f32, hostTensor, i64, lower, mappedFiles, zeros } from "../src/index.ts";
import { buildCase, casesByOp, fixture } from "./op-cases.ts";

describe("feeds", () => {
  const x = input("x", ["rows", 2]);
  const y = input("y", ["rows"]);
  const sized = input("z", ["2*rows+1"], "i64");
  const outputs = { a: add(sum(x, 1), y), b: mul(x, 2), c: add(sized, 1) };
  const good = { x: zeros("f32", [2, 2]), y: f32([1, 2]), z: i64([1, 2, 3, 4, 5]) };

  test("names, types and shapes are checked before anything runs", async () => {
    using program = await compile(outputs);
    const refused: readonly [Record<string, HostTensor>, string][] = [
      [{ x: good.x, y: good.y }, "The input 'z' i64[2*rows+1] is missing."],
      [{ ...good, extra: f32([1]) }, "There is no input 'extra'. There are: x, y, z."],
      [{ ...good, y: i64([1, 2]) }, "The input 'y' must be f32, not i64."],
      [{ ...good, x: f32([1, 2]) }, "The input 'x' must have the shape [rows,2], not [2]."],
      [{ ...good, x: zeros("f32", [2, 3]) }, "The input 'x' has the shape [2,3]; dimension 1 must be 2."],
      [
        { ...good, y: f32([1, 2, 3]) },
        "The input 'y' has the shape [3]; dimension 0 must be 'rows' = 2, as in another input.",
      ],
      [{ ...good, z: i64([1, 2]) }, "The input 'z': dimension 0 must be 2*rows+1 = 5, not 2."],
      [
        { ...good, y: { dtype: "f32", shape: [2], data: new Float32Array(3) } },
        "The input 'y' says f32[2] but holds 3 values in a Float32Array.",
      ],
      [
        { ...good, y: { dtype: "f32", shape: [2], data: new Float64Array(2) as unknown as Float32Array } },
        "The input 'y' says f32[2] but holds 2 values in a Float64Array.",
      ],
    ];
    for (const [feeds, message] of refused)
      await expect(program.run(feeds)).rejects.toStrictEqual(new RangeError(message));
    expect((await program.run(good)).a?.data).toEqual(Float32Array.of(1, 2));
    expect(Object.keys(await program.run(good, { only: ["b"] }))).toEqual(["b"]);
    await expect(program.run(good, { only: ["q"] })).rejects.toThrow("There is no output 'q'. There are: a, b, c.");
    await expect(program.run(good, { into: { a: f32([1, 2, 3]) } })).rejects.toThrow("'a' is f32[2]; f32[3]");
    await expect(program.run(good, { only: ["b"], into: { a: f32([1, 2]) } })).rejects.toThrow("not in 'only'");
  });

  test("memory shared between threads is fed and filled (onnxruntime refuses it)", async () => {
    using program = await compile({ y: mul(input("x", [2]), 2) });
    const shared = (): HostTensor<"f32"> => f32(new Float32Array(new SharedArrayBuffer(8)));
    const [from, to] = [shared(), shared()];
    from.data.set([1, 2]);
    const result = await program.run({ x: from }, { into: { y: to } });
    expect([result.y === to, [...to.data]]).toEqual([true, [2, 4]]);
  });

  test("no rows at all", async () => {
    const { y } = await evaluate(
      { y: matmul(input("x", ["rows", 3]), input("w", [3, 2])) },
      {
        x: zeros("f32", [0, 3]),
        w: zeros("f32", [3, 2]),
      },
    );
    expect(y.shape).toEqual([0, 2]);
  });
});

describe("refused when compiled", () => {
  test.each([
    ["a bf16 input", { y: cast(input("x", [2], "bf16"), "f32") }, "The input 'x' is bf16"],
    ["a bf16 output", { y: cast(input("x", [2]), "bf16") }, "The output 'y' is bf16"],
    [
      "two inputs of one name",
      { y: input("x", [2]), z: input("x", [3]) },
      "Two inputs are named 'x': f32[2] and f32[3]",
    ],
    ["a size nobody knows", { y: reshape(input("x", ["a*b"]), ["a", "b"]) }, "No input has the dimension 'a'"],
  ] as [string, Record<string, Tensor>, string][])("%s", async (_, outputs, message) => {
    await expect(compile(outputs)).rejects.toThrow(message);
  });
  test("threads that are no number, a device that is none", async () => {
    const y = mul(input("x", [2]), 2);
    await expect(compile({ y }, { threads: 0 })).rejects.toThrow("threads must be a whole number >= 1, not 0.");
    await expect(compile({ y }, { device: "tpu" as "cpu" })).rejects.toThrow("There is no device 'tpu'");
    const elsewhere = process.platform === "win32" ? "coreml" : "dml";
    await expect(compile({ y }, { device: elsewhere })).rejects.toMatchObject({ code: "device_unavailable" });
  });
});

test("a program is disposed once its runs are over, and never runs again", async () => {
  const x = input("x", [400, 400]);
  const program = await compile({ y: matmul(matmul(x, x), x) });
  const feeds = { x: zeros("f32", [400, 400]) };
  const running = program.run(feeds);
  await program.dispose();
  await program.dispose();
  expect((await running).y?.shape).toEqual([400, 400]);
  await expect(program.run(feeds)).rejects.toBeInstanceOf(EmosllmError);
});

describe("state in place", () => {
  const p = input("p", ["n"]);
  const m = input("m", ["n"]);
  const v = input("v", ["n"]);
  const g = input("g", ["n"]);
  const rate = 0.1;
  const m2 = add(mul(m, 0.9), mul(g, 0.1));
  const v2 = add(mul(v, 0.99), mul(mul(g, g), 0.01));
  const p2 = sub(mul(p, 1 - rate * 0.01), div(mul(m2, rate), add(sqrt(v2), 1e-8)));

  test("an AdamW step on memory that is input and output equals the step on copies", async () => {
    using program = await compile({ p2, m2, v2 });
    const n = 1000;
    const random = (shift: number): HostTensor<"f32"> =>
      f32(Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7 + shift)));
    const state = { p: random(0), m: random(1), v: f32(random(2).data.map(Math.abs)) };
    let copies: Record<string, HostTensor> = Object.fromEntries(
      Object.entries(state).map(([k, t]) => [k, f32(t.data.slice())]),
    );
    for (let step = 0; step < 5; step++) {
      const gradient = random(3 + step);
      const next = await program.run({ ...(copies as typeof state), g: gradient });
      copies = { p: next.p2!, m: next.m2!, v: next.v2! };
      await program.run({ ...state, g: gradient }, { into: { p2: state.p, m2: state.m, v2: state.v } });
    }
    for (const k of ["p", "m", "v"] as const) expect(state[k].data).toEqual(copies[k]?.data);
  });

  const x = input("x", [2, 2]);
  test.each([
    ["a value that is read again", { a: mul(x, 2), b: mul(add(x, 1), 3) }, "may read 'x' after 'a' was written"],
    ["a value read by its own product", { a: matmul(x, x) }, "still reads 'x' while it writes 'a'"],
    ["a transpose onto itself", { a: transpose(x) }, "still reads 'x' while it writes 'a'"],
    ["a kernel that reads twice", { a: gelu(x) }, "still reads 'x' while it writes 'a'"],
    ["read through a view", { a: mul(x, 2), b: mul(reshape(x, [4]), 3) }, "may read 'x' after 'a' was written"],
  ] as [string, Record<string, Tensor>, string][])("refused: %s", async (_, outputs, message) => {
    using program = await compile(outputs);
    const state = f32([1, 2, 3, 4], [2, 2]);
    await expect(program.run({ x: state }, { into: { a: state } })).rejects.toThrow(message);
    expect([...state.data]).toEqual([1, 2, 3, 4]);
    await program.run({ x: state }, { into: { a: zeros("f32", [2, 2]) } });
  });

  test("allowed: the last reader depends on all others; a choice between old and new", async () => {
    const a = where(greater(sum(x), 0), mul(add(x, 1), x), x);
    using program = await compile({ a });
    const state = f32([1, 2, 3, 4], [2, 2]);
    await program.run({ x: state }, { into: { a: state } });
    expect([...state.data]).toEqual([2, 6, 12, 20]);
  });

  test("memory that overlaps in part, or twice in one run", async () => {
    using program = await compile({ a: mul(input("x", [2]), 2), b: mul(input("y", [2]), 3) });
    const buffer = new Float32Array(4);
    const part = (from: number): HostTensor => f32(buffer.subarray(from, from + 2));
    await expect(program.run({ x: part(0), y: part(2) }, { into: { a: part(1) } })).rejects.toThrow("overlaps");
    await expect(program.run({ x: part(0), y: part(2) }, { into: { a: part(0), b: part(0) } })).rejects.toThrow(
      "The outputs 'a' and 'b' share memory",
    );
  });
});

describe("nothing that corrupts", () => {
  test("no ScatterND in any op, forward or backward (it loses sums when it adds from several threads)", () => {
    const seen = new Set<string>();
    for (const [c, key] of [...casesByOp.values()].flat()) {
      const { x, y } = buildCase(c, key);
      const wrt = c.grads.map((i) => x[i]!);
      const all =
        wrt.length > 0 ? gradients(sum(mul(y, input("dy", y.shape, y.dtype))), wrt, { allowUnused: true }) : [];
      const outputs = Object.fromEntries([y, ...all, ...x].map((t, i) => [`o${i}`, t]));
      const model = lower(outputs, fixture, mappedFiles());
      for (const n of model.nodes) seen.add(n.opType);
      expect(Buffer.from(model.bytes).includes("ScatterND")).toBe(false);
    }
    expect(seen).toContain("ScatterElements");
    expect(seen).not.toContain("ScatterND");
  });

  test("an index or a class that is out of range is an error, not some other memory", async () => {
    const x = input("x", [2, 3]);
    const index = input("i", [2], "i64");
    using program = await compile({
      loss: softmaxCrossEntropy(x, index),
      picked: gather(x, index),
      added: scatterAdd(x, index, 0, 2),
    });
    for (const [only, bad] of [
      ["loss", 3],
      ["picked", 2],
      ["added", 2],
    ] as const) {
      const feeds = (i: number) => ({ x: f32([1, 2, 3, 4, 5, 6], [2, 3]), i: i64([i, 0]) });
      await expect(program.run(feeds(bad), { only: [only] }), only).rejects.toMatchObject({ code: "runtime_failed" });
      expect(Object.keys(await program.run(feeds(1), { only: [only] }))).toEqual([only]);
    }
  });

  test("no session option that onnxruntime-node ignores", () => {
    const folder = new URL("../src/", import.meta.url);
    for (const file of readdirSync(folder).filter((f) => f.endsWith(".ts")))
      expect(readFileSync(new URL(file, folder), "utf8")).not.toMatch(/freeDimensionOverrides|terminate\(\)\s*;/);
  });

  test("duplicates add up on several threads", async () => {
    const n = 4096;
    const updates = input("u", [n, 8]);
    using program = await compile({ y: scatterAdd(updates, input("i", [n], "i64"), 0, 4) }, { threads: 4 });
    const feeds = {
      u: f32(new Float32Array(n * 8).fill(1), [n, 8]),
      i: hostTensor(
        "i64",
        [n],
        BigInt64Array.from({ length: n }, (_, i) => BigInt(i % 4)),
      ),
    };
    for (let round = 0; round < 10; round++)
      expect(new Set((await program.run(feeds)).y?.data as Float32Array)).toEqual(new Set([n / 4]));
  });
});
