import { describeType, input } from "@emosllm/graph";
import { expect, test } from "vitest";
import { qpMapper, qpMapperConfig } from "../src/index.ts";

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const count = (parameters: Readonly<Record<string, readonly number[]>>): number =>
  Object.values(parameters).reduce((n, s) => n + size(s), 0);

test("has as many parameters as published for WavLM-Large and Llama-3.2-3B", () => {
  expect(count(qpMapper(qpMapperConfig(1024, 3072)).parameters)).toBe(10_267_392);
});

test("names every parameter's first value", () => {
  const { parameters, initializers } = qpMapper(
    qpMapperConfig(24, 64, { hidden_size: 32, num_queries: 4, num_layers: 3 }),
  );
  expect(Object.keys(initializers)).toEqual(Object.keys(parameters));
});

test("gives the language model's width for any number of frames", () => {
  const projector = qpMapper(qpMapperConfig(24, 64, { hidden_size: 32, num_queries: 4, positions: "sinusoidal" }));
  const y = projector.build(input("frames", ["rows", "frames", 24]), input("lengths", ["rows"], "i64"), input);
  expect(describeType(y)).toBe("f32[rows,4,64]");
});

test("refuses a width that does not divide into heads", () => {
  expect(() => qpMapper(qpMapperConfig(24, 64, { hidden_size: 30 }))).toThrow(/hidden_size 30 .* num_heads 8/);
});
