/** @file The sine and cosine that WebGPU gets, run on the CPU: angles as far as those of long texts' positions. */
import { cos, input, sin } from "@emosllm/graph";
import { expect, test } from "vitest";
import { f32, lower, mappedFiles } from "../src/index.ts";
import { webgpuLowerings } from "../src/onnx/webgpu-lowerings.ts";
import { openProgram } from "../src/program.ts";

test("sine and cosine of angles within 8,000 radians are right to three roundings", async () => {
  const x = input("x", ["n"]);
  const program = await openProgram(
    lower({ sin: sin(x), cos: cos(x) }, () => undefined, mappedFiles(), webgpuLowerings),
  );
  const angles = Float32Array.from({ length: 20_001 }, (_, i) => (i - 10_000) * (i % 2 ? 0.8 : 0.0007));
  const results = await program.run({ x: f32(angles, [angles.length]) });
  for (const [name, exact] of [
    ["sin", Math.sin],
    ["cos", Math.cos],
  ] as const) {
    const worst = Math.max(...angles.map((a, i) => Math.abs((results[name]!.data[i] as number) - exact(a))));
    // Multiples up to 5,100 of the third part of pi / 2 leave 2e-12; the polynomials 1e-7, f32 another roundings' worth.
    expect(worst, name).toBeLessThan(2.5e-7);
  }
  await program.dispose();
});
