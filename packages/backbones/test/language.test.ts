import { expect, describe, test } from "vitest";
import { openCheckpoint } from "@emosllm/checkpoints";
import { type Tensor, add, input, reshape } from "@emosllm/graph";
import { evaluate, i64 } from "@emosllm/runtime";
import {
  type Linear,
  causalLayout,
  languageModel,
  openLanguageModel,
  parseModelConfig,
  ropeFrequencies,
} from "../src/index.ts";
import { LIMIT, apart, fixture, golden, ids, lengthsOf } from "./golden.ts";

const MODELS = [
  "llama",
  "llama-linear",
  "mistral",
  "qwen2",
  "qwen3",
  "smollm3",
  "gemma2",
  "gemma3",
  "phi3",
  "phi3-longrope-short",
  "phi3-longrope-long",
];

describe.each(MODELS)("%s", (name) => {
  test("logits equal transformers'; with a shared prefix too", async () => {
    const reference = await golden(name);
    const model = await openLanguageModel(fixture(name));
    const [rows, steps] = reference("input_ids").shape as [number, number];
    const tokens = input("ids", ["rows", "steps"], "i64");
    const hidden = model.layers(
      model.embed(reshape(tokens, ["rows*steps"])),
      causalLayout({ rows: "rows", suffix: "steps" }),
    );
    // The first row's first 4 tokens as a prefix, the rest as the only row after it.
    const line = input("line", [steps], "i64");
    const shared = model.layers(model.embed(line), causalLayout({ rows: 1, prefix: 4, suffix: steps - 4 }));
    const given = ids(reference("input_ids"));
    const out = await evaluate(
      { logits: model.head(hidden), shared: model.head(shared) },
      { ids: given, line: i64(lengthsOf(reference("input_ids")).slice(0, steps), [steps]) },
      { weights: model.weights, threads: 1 },
    );
    const lengths = lengthsOf(reference("lengths"));
    expect(lengths.length).toBe(rows);
    expect(apart(out.logits, reference("logits"), lengths)).toBeLessThan(LIMIT);
    expect(apart(out.shared, reference("logits"), [steps])).toBeLessThan(LIMIT);
  });

  test("every linear layer is asked for once, by the path of its module", async () => {
    const model = await openLanguageModel(fixture(name));
    const asked: string[] = [];
    const spy: Linear = (paths, x) => {
      asked.push(...paths);
      return model.linear(paths, x);
    };
    model.layers(input("h", ["n", model.config.hiddenSize]), causalLayout({ rows: 1, suffix: "n" }), spy);
    expect(asked.toSorted()).toEqual(model.linearPaths.toSorted());
    if (name.startsWith("phi3")) expect(model.linearPaths).toContain("model.layers.1.self_attn.qkv_proj");
  });
});

test("an adapter on one path changes the logits", async () => {
  const model = await openLanguageModel(fixture("phi3"));
  const shifted: Linear = (paths, x) =>
    model.linear(paths, x).map((y, i): Tensor => (paths[i]?.endsWith("layers.1.mlp.gate_up_proj") ? add(y, 0.5) : y));
  const tokens = input("ids", ["n"], "i64");
  const layout = causalLayout({ rows: 1, suffix: "n" });
  const out = await evaluate(
    {
      plain: model.head(model.layers(model.embed(tokens), layout)),
      shifted: model.head(model.layers(model.embed(tokens), layout, shifted)),
    },
    { ids: i64([5, 6, 7]) },
    { weights: model.weights, threads: 1 },
  );
  expect(out.plain.data).not.toEqual(out.shifted.data);
});

describe("refusals name the key, the value and what is accepted", () => {
  const base = {
    model_type: "gemma2",
    vocab_size: 8,
    hidden_size: 32,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 2,
    head_dim: 4,
  };
  const build = async (changes: Record<string, unknown>): Promise<void> => {
    const model = languageModel(parseModelConfig({ ...base, ...changes }), await openCheckpoint(fixture("gemma2")));
    model.layers(input("h", ["n", 32]), causalLayout({ rows: 1, suffix: "n" }));
  };
  test.each<[Record<string, unknown>, RegExp]>([
    [{ model_type: "gpt2" }, /model_type 'gpt2' is not supported; supported are llama, mistral, qwen2/],
    [{ hidden_activation: "swish2" }, /hidden_act 'swish2' is not supported; supported are .*gelu_pytorch_tanh/],
    [{ hidden_activation: 3 }, /hidden_activation must be a name, not 3/],
    [
      { layer_types: ["chunked"] },
      /layer_types must say sliding_attention or full_attention for layer 0, not "chunked"/,
    ],
    [{ sliding_window: "all" }, /sliding_window must be a number above 0 or null, not "all"/],
    [{ rope_parameters: { rope_type: "yarn" } }, /rope_type 'yarn' is not supported; supported are .*longrope/],
    [{ rope_parameters: { rope_type: "longrope", short_factor: [1] } }, /long_factor of longrope must be 2 numbers/],
    [{ partial_rotary_factor: 0.3 }, /head_dim 4 with partial_rotary_factor 0.3 turns 1 numbers/],
    [{ num_attention_heads: 3 }, /num_attention_heads 3 is not a multiple of num_key_value_heads 2/],
    [{ num_hidden_layers: 0 }, /num_hidden_layers must be a whole number >= 1, not 0/],
  ])("%j", async (changes, message) => {
    await expect(build(changes)).rejects.toThrow(message);
  });

  test("a folder without config.json, a config.json that is not an object", async () => {
    await expect(openLanguageModel(fixture("nowhere"))).rejects.toThrow(/nowhere\/config.json cannot be read/);
  });
});

test("what config.json leaves out is what transformers assumes", () => {
  const some = { vocab_size: 8, hidden_size: 64, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 8 };
  const parse = (model_type: string): ReturnType<typeof parseModelConfig> => parseModelConfig({ ...some, model_type });
  expect(parse("gemma2")).toMatchObject({ headDim: 256, keyValueHeads: 4, activation: "gelu_pytorch_tanh" });
  expect(parse("mistral").raw["sliding_window"]).toBe(4096);
  expect(parse("smollm3").ropeTheta).toBe(2_000_000);
  expect(parse("phi3").normEpsilon).toBe(1e-5);
  expect(parse("llama")).toMatchObject({ keyValueHeads: 8, headDim: 8, activation: "silu", ropeTheta: 10_000 });
});

test("rope frequencies stay as they were without parameters", () => {
  expect([...ropeFrequencies(4, 10_000)]).toEqual([1, Math.fround(0.01)]);
});
