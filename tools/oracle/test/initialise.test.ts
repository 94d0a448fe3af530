import { expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { openLanguageModel } from "@emosllm/backbones";
import { firstValues, loraAdapter, loraConfig } from "@emosllm/lora";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import { readTensor } from "@emosllm/checkpoints";
import { initialise, tensorStore } from "@emosllm/training";

const backbone = fileURLToPath(new URL("../../../packages/lora/test/fixtures/adapters/dora/backbone", import.meta.url));
const PATH = "model.layers.0.self_attn.q_proj";

interface Store {
  readonly of: (name: string) => Float32Array;
  readonly inBase: (name: string) => Promise<Float32Array>;
}

async function store(fields: Record<string, unknown>, withBase: boolean): Promise<Store> {
  const languageModel = await openLanguageModel(backbone);
  const base = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const adapter = loraAdapter(loraConfig({ peft_type: "LORA", target_modules: ["q_proj"], r: 4, ...fields }), base);
  const parts = { languageModel, projector: qpMapper(qpMapperConfig(4, 16, {})), adapter, audioSize: 4 };
  const values = tensorStore(adapter.parameters);
  initialise(values, parts, 1, ...(withBase ? [await firstValues(adapter, base)] : []));
  const of = (name: string): Float32Array => values.tensors[`base_model.model.${name}`]?.data as Float32Array;
  const inBase = async (name: string): Promise<Float32Array> => {
    const source = base.tensors.get(name);
    if (!source) throw new Error(name);
    return readTensor(source, "f32");
  };
  return { of, inBase };
}

test("DoRA begins with the norms of W's rows, A drawn, B zero", async () => {
  const { of, inBase } = await store({ use_dora: true }, true);
  const W = await inBase(`${PATH}.weight`);
  of(`${PATH}.lora_magnitude_vector`).forEach((m, r) =>
    expect(m).toBeCloseTo(Math.hypot(...W.subarray(r * 16, r * 16 + 16)), 5),
  );
  const A = of(`${PATH}.lora_A.weight`);
  // kaiming with a = sqrt 5: uniform in +-1/sqrt(16)
  expect(Math.max(...A.map(Math.abs))).toBeLessThanOrEqual(0.25);
  expect(Math.max(...A.map(Math.abs))).toBeGreaterThan(0.2);
  expect(of(`${PATH}.lora_B.weight`).every((v) => v === 0)).toBe(true);
});

test("biases and whole modules begin as the base's", async () => {
  const { of, inBase } = await store({ bias: "lora_only", modules_to_save: ["lm_head"], lora_bias: true }, true);
  expect(of(`${PATH}.base_layer.bias`)).toEqual(await inBase(`${PATH}.bias`));
  expect(of("lm_head.weight")).toEqual(await inBase("lm_head.weight"));
  expect(of(`${PATH}.lora_B.bias`).every((v) => v === 0)).toBe(true);
});

test("gaussian has the deviation of the module's own rank", async () => {
  const { of } = await store({ init_lora_weights: "gaussian", rank_pattern: { q_proj: 16 } }, true);
  const A = of(`${PATH}.lora_A.weight`);
  const deviation = Math.sqrt(A.reduce((s, v) => s + v * v, 0) / A.length);
  // 256 draws: the deviation is known to about 1 / sqrt(512), 4 %.
  expect(deviation / (1 / 16)).toBeGreaterThan(0.85);
  expect(deviation / (1 / 16)).toBeLessThan(1.15);
});

test("without the base's values nothing is guessed", async () => {
  await expect(store({ use_dora: true }, false)).rejects.toThrow(/lora_magnitude_vector' begins as the base has it/);
});

test("orthogonal: neither A nor B is zero, B A is, with PEFT's deviations; an odd rank is refused", async () => {
  const { of } = await store({ init_lora_weights: "orthogonal", r: 8 }, true);
  const [A, B] = [of(`${PATH}.lora_A.weight`), of(`${PATH}.lora_B.weight`)];
  for (let o = 0; o < 16; o++)
    for (let i = 0; i < 16; i++) {
      let sum = 0;
      for (let k = 0; k < 8; k++) sum += (B[o * 8 + k] as number) * (A[k * 16 + i] as number);
      // f32 rounding of eight products of 0.01.
      expect(Math.abs(sum)).toBeLessThan(1e-8);
    }
  // Half of the rotation's directions, a tenth each: sqrt(1 / 2) / 10; 128 numbers out of 64 draws, so to about 9 %.
  for (const values of [A, B]) {
    const deviation = Math.sqrt(values.reduce((s, v) => s + v * v, 0) / values.length);
    expect(deviation * 10 * Math.SQRT2).toBeGreaterThan(0.7);
    expect(deviation * 10 * Math.SQRT2).toBeLessThan(1.3);
  }
  await expect(store({ init_lora_weights: "orthogonal", r: 3 }, true)).rejects.toThrow(
    /'orthogonal' needs an even rank; that of model\.layers\.0\.self_attn\.q_proj is 3/,
  );
});

test("false draws both, as PyTorch's linear layers", async () => {
  const { of } = await store({ init_lora_weights: false }, true);
  for (const [name, bound] of [
    ["A", 1 / 4],
    ["B", 1 / 2],
  ] as const) {
    const most = Math.max(...of(`${PATH}.lora_${name}.weight`).map(Math.abs));
    expect(most).toBeLessThanOrEqual(bound);
    expect(most).toBeGreaterThan(0.8 * bound);
  }
});

test("adapters of embeddings: A zero, B drawn with deviation 1", async () => {
  const { of } = await store({ target_modules: ["embed_tokens"], r: 16 }, true);
  expect(of("model.embed_tokens.lora_embedding_A").every((v) => v === 0)).toBe(true);
  const B = of("model.embed_tokens.lora_embedding_B");
  const deviation = Math.sqrt(B.reduce((s, v) => s + v * v, 0) / B.length);
  expect(deviation).toBeGreaterThan(0.85);
  expect(deviation).toBeLessThan(1.15);
});
