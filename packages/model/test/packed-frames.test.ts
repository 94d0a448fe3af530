/** @file Frames without their padding give what padded frames give: vectors, and every gradient. */
import { type Tensor, gradients, input, mul, sum } from "@emosllm/graph";
import { makeProjector, projectorConfig } from "@emosllm/projector";
import { type HostTensor, evaluate, f32, i64 } from "@emosllm/runtime";
import { expect, test } from "vitest";
import { randoms } from "./tiny.ts";

test.each([
  { positions: "none", num_layers: 1, num_layers_in: 1 },
  { positions: "sinusoidal", num_layers: 3, num_layers_in: 1 },
  { positions: "sinusoidal", num_layers: 2, num_layers_in: 3 },
] as const)("qp_mapper $positions, $num_layers layers, $num_layers_in layers in", async (options) => {
  const projector = makeProjector(
    projectorConfig({
      type: "qp_mapper",
      input_size: 6,
      output_size: 10,
      hidden_size: 16,
      num_heads: 4,
      num_queries: 3,
      ...options,
    }),
  );
  const r = randoms(4);
  const random = (shape: readonly number[]): HostTensor<"f32"> =>
    f32(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, r), shape);
  const lengths = [5, 1, 9, 4];
  const most = Math.max(...lengths);
  const places = lengths.flatMap((n, row) => Array.from({ length: n }, (_, i) => row * most + i));
  const owners = Array.from({ length: lengths.length * most }, (_, place) => Math.max(0, places.indexOf(place)));
  const parameters = Object.fromEntries(
    Object.entries(projector.parameters).map(([name, shape]) => [name, input(name, shape)]),
  );
  const names = Object.keys(parameters);
  const of = (packing?: { places: Tensor; owners: Tensor }): Record<string, Tensor> => {
    const y = projector.build(
      input("x", ["rows", "frames", projector.inputSize]),
      input("lengths", ["rows"], "i64"),
      (name) => parameters[name] as Tensor,
      packing,
    );
    const ds = gradients(sum(mul(y, input("d", y.shape))), Object.values(parameters));
    return { y, ...Object.fromEntries(names.map((name, i) => [name, ds[i] as Tensor])) };
  };
  const packed = of({
    places: input("places", ["own"], "i64"),
    owners: input("owners", ["rows*frames"], "i64"),
  });
  const feeds = {
    x: random([4, most, projector.inputSize]),
    lengths: i64(lengths),
    d: random([4, 3, 10]),
    ...Object.fromEntries(Object.entries(projector.parameters).map(([name, shape]) => [name, random(shape)])),
  };
  const plain = await evaluate(of(), feeds);
  const ours = await evaluate(packed, { ...feeds, places: i64(places), owners: i64(owners) });
  for (const name of ["y", ...names]) {
    const [a, b] = [plain[name]?.data as Float32Array, ours[name]?.data as Float32Array];
    const largest = Math.max(...a.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    // f32 sums over other numbers of terms.
    a.forEach((v, i) => expect(Math.abs(v - (b[i] as number))).toBeLessThan(5e-6 * largest));
  }
});
