import { type Dim, describeType, input } from "@emosllm/graph";
import { describe, expect, test } from "vitest";
import {
  LAYER_WEIGHTS,
  PROJECTOR_TYPES,
  type ProjectorConfig,
  makeProjector,
  projectorConfig,
  projectorProblems,
  qpMapper,
  qpMapperConfig,
  windowFrames,
} from "../src/index.ts";

const count = (config: ProjectorConfig): number =>
  Object.values(makeProjector(config).parameters).reduce((n, shape) => n + shape.reduce((a, b) => a * b, 1), 0);

describe("parameters of WavLM-Large to Llama-3.2-3B", () => {
  test("QPMapper: as published", () => {
    expect(count(qpMapperConfig(1024, 3072))).toBe(10_267_392);
  });

  const linear = (input: number, out: number): number => (input + 1) * out;
  // Counted from the layers' definitions, layer by layer.
  const block = (inner: number): number => linear(768, 768) * 2 + linear(inner, 768) * 2 + 2 * 768;
  const qFormer = 768 * 2 + 2 * (block(768) + block(1024) + linear(768, 3072) + linear(3072, 768) + 2 * 768);
  test.each([
    ["q_former", 32 * 768 + qFormer + linear(768, 3072) + 2 * 3072],
    ["window_q_former", 768 + qFormer + linear(768, 3072) + 2 * 3072 + 2 * 1024],
    ["concat_mlp", linear(5 * 1024, 2048) + linear(2048, 3072)],
    ["conv", linear(3 * 1024, 768) + 2 * linear(3 * 768, 768) + linear(768, 3072)],
    ["pooled_linear", linear(1024, 3072)],
  ])("%s: %i", (type, wanted) => {
    expect(count(projectorConfig({ type, input_size: 1024, output_size: 3072 }))).toBe(wanted);
  });

  test("a sum over layers adds one weight each", () => {
    const config = projectorConfig({ type: "pooled_linear", input_size: 4, output_size: 3, num_layers_in: 25 });
    const { parameters, inputSize } = makeProjector(config);
    expect(parameters[LAYER_WEIGHTS]).toEqual([25]);
    expect(inputSize).toBe(100);
  });
});

describe.each(PROJECTOR_TYPES)("%s", (type) => {
  const projector = makeProjector(
    projectorConfig({
      type,
      input_size: 6,
      output_size: 10,
      ...(type === "pooled_linear" ? { frames_per_vector: 3 } : type === "concat_mlp" ? {} : { hidden_size: 24 }),
    }),
  );

  test("names every parameter's first value", () => {
    expect(Object.keys(projector.initializers)).toEqual(Object.keys(projector.parameters));
  });

  test("says how many vectors there are: of the graph, never none, never fewer for more frames", () => {
    const frames: Dim = "frames";
    const y = projector.build(input("x", ["rows", frames, 6]), input("lengths", ["rows"], "i64"), input);
    expect(describeType(y)).toBe(`f32[rows,${projector.vectors(frames)},10]`);
    let before = 1;
    for (let n = 1; n < 70; n++) {
      const vectors = projector.vectors(n) as number;
      expect(vectors).toBeGreaterThanOrEqual(before);
      const fixed = projector.build(input("x", [2, n, 6]), input("lengths", [2], "i64"), input);
      expect(fixed.shape).toEqual([2, vectors, 10]);
      before = vectors;
    }
  });
});

test("windows of a third of a second of 50 frames a second have 17 frames, as SALMONN's", () => {
  const config = projectorConfig({ type: "window_q_former", input_size: 4, output_size: 4 });
  expect(config.type === "window_q_former" && windowFrames(config)).toBe(17);
  expect(makeProjector(config).vectors(1500)).toBe(89);
});

describe("refused by name", () => {
  const sizes = { input_size: 24, output_size: 64 };
  test.each([
    [{ ...sizes, type: "q_formr" }, /type: "q_formr" is not one of qp_mapper, q_former, window_q_former, concat_mlp/],
    [{ ...sizes, type: "conv", kernel_size: 4 }, /kernel_size: 4, accepted: an odd whole number >= 1/],
    [
      { ...sizes, type: "conv", num_queries: 4 },
      /num_queries: unknown key of a conv; it has num_layers_in, num_layers, kernel_size/,
    ],
    [{ output_size: 64, type: "conv" }, /input_size: missing, accepted: a whole number >= 1/],
    [
      { ...sizes, num_layers_in: 0, positions: "x" },
      /num_layers_in: 0.*positions: "x", accepted: 'none' or 'sinusoidal'/,
    ],
    [{ ...sizes, type: "pooled_linear", frames_per_vector: 0 }, /frames_per_vector: 0, accepted: .* or null/],
  ])("%j", (fields, message) => {
    expect(() => projectorConfig(fields)).toThrow(message);
  });

  test("widths that do not divide into heads", () => {
    expect(() => qpMapper(qpMapperConfig(24, 64, { hidden_size: 30 }))).toThrow(/hidden_size 30 .* num_heads 8/);
    expect(() => makeProjector(projectorConfig({ ...sizes, type: "q_former", hidden_size: 20 }))).toThrow(
      /hidden_size 20 must be a multiple of num_heads 12/,
    );
  });

  test("the trainer's config sees the same problems by key", () => {
    expect(projectorProblems({ type: "concat_mlp", frames_per_vector: 2.5 })).toEqual([
      { key: "frames_per_vector", message: "2.5, accepted: a whole number >= 1" },
    ]);
    expect(projectorProblems({ num_queries: 4 })).toEqual([]);
  });
});

test("a config of an earlier version, without num_layers_in, reads as one layer", () => {
  const { num_layers_in: _, ...earlier } = qpMapperConfig(24, 64);
  expect(projectorConfig(earlier)).toEqual(qpMapperConfig(24, 64));
});
