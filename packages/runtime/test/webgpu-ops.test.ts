/** @file WebGPU as onnxruntime-node bundles it: every op and every gradient against the same PyTorch cases. Runs where EMOSLLM_WEBGPU=1 says that there is a device. */
import * as g from "@emosllm/graph";
import { expect, test } from "vitest";
import { type HostTensor, evaluate, f32 } from "../src/index.ts";
import { check } from "./check-case.ts";
import { type OpCase, buildCase, casesByOp, fixture, withoutNames } from "./op-cases.ts";

/** f32 on a GPU: sums in another order, transcendental functions in fewer bits (the Vulkan specification grants exp and pow 3 + 2|x| ulp). */
const TOLERANCE = 2e-4;

/** Empty tensors are refused there. */
const isEmpty = (c: OpCase): boolean => c.output.shape.includes(0) || c.inputs.some((i) => i.dims.includes(0));

/** Shaders are compiled for every shape, which a software device takes seconds for; EMOSLLM_FULL=1 runs every case. */
const MOST = process.env["EMOSLLM_FULL"] ? Infinity : 2;

const onGpu = test.skipIf(!process.env["EMOSLLM_WEBGPU"]);

// What the fixture has for matMulNBits includes the CPU's rounding of the other side to 8 bits, which a GPU does not do.
onGpu.each([...casesByOp].filter(([op]) => !/^matMul(NBits|Int8)$/.test(op)))(
  "%s",
  { timeout: 120_000 },
  async (_, list) => {
    const problems: string[] = [];
    const cases = list.map(([c, key]) => [withoutNames(c), key] as const).filter(([c]) => !isEmpty(c));
    for (const [c, key] of cases.slice(0, MOST)) {
      const found = await check(c, key, { device: "webgpu", tolerance: TOLERANCE }).catch((e: unknown) => [String(e)]);
      problems.push(...found.map((p) => `${key} (${c.note || "plain"}; ${JSON.stringify(c.attrs)}): ${p}`));
    }
    expect(problems).toEqual([]);
  },
);

onGpu("matMulNBits: the product with the dequantised weights, on the CPU", { timeout: 120_000 }, async () => {
  for (const [named, key] of casesByOp.get("matMulNBits")!) {
    const c = withoutNames(named);
    if (isEmpty(c)) continue;
    const { x, y } = buildCase(c, key);
    const product = y as g.Tensor<"matMulNBits">;
    const [, data, scales] = product.inputs as [g.Tensor, g.Tensor, g.Tensor];
    const exact = g.matmul(x[0]!, g.apply("dequantizeNBits", [data, scales], product.attrs), { transB: true });
    const weights = (name: string): HostTensor & { data: ArrayBufferView } => fixture(name) as never;
    const feeds = { x0: fixture(`${key}.x0`) };
    const [got, want] = [
      await evaluate({ y }, feeds, { device: "webgpu", weights }),
      await evaluate({ y: exact }, feeds, { weights }),
    ];
    (want.y.data as Float32Array).forEach((v, i) =>
      expect(Math.abs(Number(got.y.data[i]) - v) / (1 + Math.abs(v)), `${key}[${i}]`).toBeLessThan(TOLERANCE),
    );
  }
});

onGpu("an empty tensor is refused by name, since it could end the process", async () => {
  await expect(
    evaluate({ y: g.mul(g.input("x", ["n", 4]), 2) }, { x: f32([], [0, 4]) }, { device: "webgpu" }),
  ).rejects.toThrow("The input 'x' f32[0,4] is empty, which WebGPU cannot take.");
});
