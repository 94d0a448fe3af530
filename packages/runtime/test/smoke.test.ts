import { gradients, input, matmul, mean, relu, softmaxCrossEntropy } from "@emosllm/graph";
import { expect, test } from "vitest";
import { evaluate, f32, i64 } from "../src/index.ts";

test("a small network and its gradients run with named dimensions", async () => {
  const x = input("x", ["rows", 3]);
  const w = input("w", [4, 3]);
  const t = input("t", ["rows"], "i64");
  const loss = mean(softmaxCrossEntropy(relu(matmul(x, w, { transB: true })), t));
  const [dw] = gradients(loss, [w]);
  const run = async (wv: number[]) =>
    evaluate({ loss, dw: dw! }, { x: f32([1, 2, 3, -1, 0.5, 2], [2, 3]), w: f32(wv, [4, 3]), t: i64([2, -100]) });
  const base = Array.from({ length: 12 }, (_, i) => Math.sin(i) * 0.5);
  const r = await run(base);
  for (let i = 0; i < 12; i++) {
    const up = await run(base.map((v, j) => (i === j ? v + 1e-2 : v)));
    const down = await run(base.map((v, j) => (i === j ? v - 1e-2 : v)));
    const fd = ((up.loss.data[0] as number) - (down.loss.data[0] as number)) / 2e-2;
    expect(r.dw.data[i]).toBeCloseTo(fd, 3);
  }
});
