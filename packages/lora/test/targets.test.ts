import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loraConfig, loraConfigText, loraTargets, matchTargets } from "../src/index.ts";
import { fixture } from "./fixture.ts";

const PATHS = [0, 1, 2].flatMap((i) =>
  [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
  ].map((m) => `model.layers.${i}.${m}`),
);
const targets = (fields: Record<string, unknown>): ReturnType<typeof loraTargets> =>
  loraTargets(loraConfig({ peft_type: "LORA", ...fields }), PATHS);
const paths = (fields: Record<string, unknown>): string[] => targets(fields).map((t) => t.path);

// The same cases, by PEFT's own rules (tuners_utils.check_target_module_exists), as in its documentation.
test("names match whole path ends", () => {
  expect(paths({ target_modules: ["q_proj"] })).toEqual([0, 1, 2].map((i) => `model.layers.${i}.self_attn.q_proj`));
  expect(
    paths({ target_modules: ["self_attn.q_proj", "down_proj"], layers_to_transform: [0, 2], layers_pattern: "layers" }),
  ).toEqual([
    "model.layers.0.self_attn.q_proj",
    "model.layers.0.mlp.down_proj",
    "model.layers.2.self_attn.q_proj",
    "model.layers.2.mlp.down_proj",
  ]);
});

test("a text is a regular expression over the whole path, all-linear is everything", () => {
  expect(paths({ target_modules: String.raw`.*\.layers\.[12]\.(self_attn\.(q|k)_proj|mlp\.up_proj)` })).toHaveLength(6);
  expect(paths({ target_modules: "all-linear" })).toHaveLength(21);
  expect(paths({ target_modules: "all-linear", exclude_modules: ["k_proj"] })).toHaveLength(18);
});

test("patterns give single modules their own rank and alpha; rsLoRA divides by the root", () => {
  const found = targets({
    r: 4,
    lora_alpha: 8,
    target_modules: "all-linear",
    rank_pattern: { q_proj: 2, [String.raw`^model\.layers\.1\.mlp\.down_proj`]: 6 },
    alpha_pattern: { v_proj: 3 },
  });
  const of = (path: string): unknown => found.find((t) => t.path === path);
  expect(of("model.layers.0.self_attn.q_proj")).toMatchObject({ rank: 2, scaling: 4 });
  expect(of("model.layers.1.mlp.down_proj")).toMatchObject({ rank: 6, scaling: 8 / 6 });
  expect(of("model.layers.2.self_attn.v_proj")).toMatchObject({ rank: 4, scaling: 3 / 4 });
  expect(targets({ r: 16, lora_alpha: 8, target_modules: ["q_proj"], use_rslora: true })[0]?.scaling).toBe(2);
});

test("a target that matches nothing is an error that says what there is", () => {
  expect(() => targets({ target_modules: ["q_proj", "query"] })).toThrow(
    /\["query"\] matches no linear layer; there are q_proj, k_proj/,
  );
});

test("every wrong field is named at once", () => {
  expect(() => loraConfig({ peft_type: "LORA", r: 0, lora_dropout: 1 })).toThrow(/r is 0.*lora_dropout is 1/);
  expect(() => loraConfig({ r: 8 })).toThrow(/peft_type is missing/);
});

test("unknown fields survive, and the file is as PEFT writes it: sorted, two blanks, for inference", () => {
  const text = loraConfigText(loraConfig({ peft_type: "LORA", from_the_future: { a: 1 }, inference_mode: false }));
  const keys = Object.keys(JSON.parse(text) as object);
  expect(keys).toEqual([...keys].sort());
  expect(JSON.parse(text)).toMatchObject({ from_the_future: { a: 1 }, inference_mode: true, r: 8 });
});

// Made by: python tools/oracle/peft_torch.py targets --out packages/lora/test/fixtures/targets.json
test("200 random configs target what PEFT's own matching targets, with its ranks and scalings", () => {
  const { paths: all, cases } = JSON.parse(readFileSync(fixture("targets.json"), "utf8")) as {
    paths: string[];
    cases: { config: Record<string, unknown>; found: [number, number, number][] }[];
  };
  expect(cases).toHaveLength(200);
  for (const { config, found } of cases) {
    const { targets: ours } = matchTargets(loraConfig({ peft_type: "LORA", ...config }), all);
    expect(
      ours.map((t) => [all.indexOf(t.path), t.rank, t.scaling]),
      JSON.stringify(config),
    ).toEqual(found);
  }
});

test("what PEFT's LoraConfig refuses is refused", () => {
  for (const [fields, message] of [
    [{ target_modules: ".*q_proj", layers_to_transform: 1 }, /layers_to_transform cannot be used/],
    [{ target_modules: "all-linear", layers_pattern: "layers" }, /layers_pattern cannot be used/],
    [{ target_modules: ["q_proj"], layers_pattern: "layers" }, /layers_pattern needs layers_to_transform/],
    [{ use_dora: true, lora_bias: true }, /lora_bias cannot be used with use_dora/],
    [{ rank_pattern: { q_proj: 1.5 } }, /rank_pattern is/],
    [{ target_modules: "(q_proj" }, undefined],
  ] as const) {
    if (message) expect(() => loraConfig({ peft_type: "LORA", ...fields })).toThrow(message);
    else expect(() => targets(fields)).toThrow(/target_modules '\(q_proj' is not a regular expression/);
  }
});
