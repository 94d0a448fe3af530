/** Loss scaling against training without it, and against the rules of torch.amp.GradScaler. */
import { input, matmul, mean, mul, sub } from "@emosllm/graph";
import { f32 } from "@emosllm/runtime";
import { expect, test } from "vitest";
import { type LossScaling, adamW, constantRate, openTrainer } from "../src/index.ts";

const feeds = { x: f32([1, 0.5, -2, 1, 0.25, 3], [2, 3]), y: f32([3, -1], [2, 1]) };
const open = (lossScaling?: LossScaling): ReturnType<typeof openTrainer> =>
  openTrainer({
    shapes: { w: [1, 3] },
    optimiser: adamW(constantRate(0.05), { maxGradNorm: 1 }),
    lossScaling,
    graph: () => {
      const w = input("w", [1, 3]);
      const error = sub(matmul(input("x", ["rows", 3]), w, { transB: true }), input("y", ["rows", 1]));
      return { loss: mean(mul(error, error)), parameters: { w } };
    },
  });

test("a scaled loss trains as the loss itself; powers of two change no digit", async () => {
  const [plain, scaled] = [await open(), await open({ initial: 1024, growthInterval: 3 })];
  for (let i = 0; i < 10; i++) {
    const [a, b] = [await plain.accumulate("all", feeds, true), await scaled.accumulate("all", feeds, true)];
    expect(b.loss).toBe(a.loss);
    const [u, v] = [await plain.update(), await scaled.update()];
    expect(v.gradNorm).toBe(u.gradNorm);
    expect(v.skipped).toBe(false);
  }
  expect(scaled.parameters.flat).toEqual(plain.parameters.flat);
  // Three times after three finite steps each: 1024 * 2^3, and one step since.
  expect(scaled.state.tensors["loss_scale"]!.data[0]).toBe(8192);
  expect(scaled.state.tensors["loss_scale.finite_steps"]!.data[0]).toBe(1);
  await plain.dispose();
  await scaled.dispose();
});

test("gradients that are not finite change nothing but the scale, which falls", async () => {
  const trainer = await open({});
  await trainer.accumulate("all", feeds, true);
  await trainer.update();
  const [before, state] = [trainer.parameters.flat.slice(), trainer.state.flat.slice()];
  for (const [bad, scale] of [
    [Infinity, 32768],
    [NaN, 16384],
  ] as const) {
    await trainer.accumulate("all", feeds, true);
    trainer.gradients.flat[1] = bad;
    expect((await trainer.update()).skipped).toBe(true);
    expect(trainer.parameters.flat).toEqual(before);
    expect(trainer.state.tensors["loss_scale"]!.data[0]).toBe(scale);
  }
  expect(Array.from(trainer.state.flat.subarray(0, -2))).toEqual(Array.from(state.subarray(0, -2)));
  await trainer.dispose();
});

test("settings that could not work are refused", async () => {
  await expect(open({ backoffFactor: 2 })).rejects.toThrow("0 < backoffFactor < 1");
});
