/** @file Trains the tiny Llama from scratch on this project's own engine: next tokens of the made text, every parameter trained. */
import { type ModelConfig, causalLayout, languageModelOver, parseModelConfig } from "@emosllm/backbones";
import { type StoredTensor, f32ToF16, writeSafetensors } from "@emosllm/checkpoints";
import { type Tensor, gather, input, mul, reshape, softmaxCrossEntropy, sum } from "@emosllm/graph";
import type { Tokenizer } from "@emosllm/prompts";
import { type HostTensor, f32, hostTensor, i64 } from "@emosllm/runtime";
import { adamW, normal, openTrainer, randomStream, schedule } from "@emosllm/training";
import { trainingExamples, type TrainingExample } from "./examples.ts";
import { CONFIG, type Recipe } from "./recipe.ts";

/** Names and shapes of every tensor of the model. */
export function backboneShapes(c: ModelConfig): Record<string, readonly number[]> {
  const [d, kv] = [c.hiddenSize, c.keyValueHeads * c.headDim];
  const shapes: Record<string, readonly number[]> = { "model.embed_tokens.weight": [c.vocabSize, d] };
  for (let i = 0; i < c.layers; i++) {
    const at = `model.layers.${i}`;
    shapes[`${at}.self_attn.q_proj.weight`] = [c.heads * c.headDim, d];
    shapes[`${at}.self_attn.k_proj.weight`] = [kv, d];
    shapes[`${at}.self_attn.v_proj.weight`] = [kv, d];
    shapes[`${at}.self_attn.o_proj.weight`] = [d, c.heads * c.headDim];
    shapes[`${at}.mlp.gate_proj.weight`] = [c.intermediateSize, d];
    shapes[`${at}.mlp.up_proj.weight`] = [c.intermediateSize, d];
    shapes[`${at}.mlp.down_proj.weight`] = [d, c.intermediateSize];
    shapes[`${at}.input_layernorm.weight`] = [d];
    shapes[`${at}.post_attention_layernorm.weight`] = [d];
  }
  shapes["model.norm.weight"] = [d];
  return shapes;
}

/** After each step. */
export interface BackboneStep {
  readonly step: number;
  readonly total: number;
  readonly loss: number;
}

/** Trains by the recipe and gives every tensor in f32. */
export async function trainBackbone(
  recipe: Recipe,
  tokenizer: Tokenizer,
  onStep: (step: BackboneStep) => void,
): Promise<Readonly<Record<string, HostTensor<"f32">>>> {
  const config = parseModelConfig(CONFIG);
  const shapes = backboneShapes(config);
  const rate = {
    type: "cosine_with_min_lr",
    learningRate: recipe.learningRate,
    warmupSteps: recipe.warmupSteps,
    totalSteps: recipe.maxSteps,
    minRatio: recipe.minLearningRate / recipe.learningRate,
  } as const;
  const trainer = await openTrainer({
    shapes,
    graph: () => nextTokenGraph(config, shapes),
    optimiser: adamW(schedule(rate), {
      beta1: recipe.adamBeta1,
      beta2: recipe.adamBeta2,
      epsilon: recipe.adamEpsilon,
      weightDecay: recipe.weightDecay,
      maxGradNorm: recipe.maxGradNorm,
      decays: (name) => (shapes[name]?.length ?? 0) > 1,
    }),
  });
  // GPT-2's rule: outputs into the residual stream begin smaller the deeper the model is.
  for (const [name, t] of Object.entries(trainer.parameters.tensors)) {
    const r = randomStream(recipe.seed, name);
    const std = /(o_proj|down_proj)\.weight$/.test(name) ? 0.05 / Math.sqrt(2 * config.layers) : 0.05;
    for (let i = 0; i < t.data.length; i++) t.data[i] = t.shape.length === 1 ? 1 : normal(r) * std;
  }
  const examples = (await trainingExamples(recipe.seed, tokenizer))[Symbol.iterator]();
  for (let step = 1; step <= recipe.maxSteps; step++) {
    const batch: TrainingExample[] = [];
    while (batch.length < recipe.batchSize) batch.push(examples.next().value as TrainingExample);
    const { loss } = await trainer.accumulate("text", nextTokenFeeds(batch), true);
    await trainer.update();
    onStep({ step, total: recipe.maxSteps, loss });
  }
  const tensors = Object.fromEntries(
    Object.entries(trainer.parameters.tensors).map(([name, t]) => [name, f32(t.data.slice(), t.shape)]),
  );
  await trainer.dispose();
  return tensors;
}

function nextTokenGraph(
  config: ModelConfig,
  shapes: Readonly<Record<string, readonly number[]>>,
): { loss: Tensor; parameters: Record<string, Tensor> } {
  const parameters = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]));
  const model = languageModelOver(config, new Set(Object.keys(shapes)), (name) => parameters[name] as Tensor);
  const ids = input("ids", ["rows", "tokens"], "i64");
  const hidden = model.layers(
    model.embed(reshape(ids, ["rows*tokens"])),
    causalLayout({ rows: "rows", suffix: "tokens" }),
  );
  const logits = model.head(gather(hidden, input("places", ["targets"], "i64")));
  const losses = softmaxCrossEntropy(logits, input("targets", ["targets"], "i64"));
  return { loss: sum(mul(losses, input("weights", ["targets"]))), parameters };
}

function nextTokenFeeds(batch: readonly TrainingExample[]): Record<string, HostTensor> {
  const width = Math.max(...batch.map((e) => e.ids.length));
  const ids = new BigInt64Array(batch.length * width);
  const places: number[] = [];
  const targets: number[] = [];
  batch.forEach((e, r) =>
    e.ids.forEach((id, i) => {
      ids[r * width + i] = BigInt(id);
      if (i === 0 || (e.lossMask && !e.lossMask[i])) return;
      places.push(r * width + i - 1);
      targets.push(id);
    }),
  );
  return {
    ids: hostTensor("i64", [batch.length, width], ids),
    places: i64(places),
    targets: i64(targets),
    weights: f32(new Float32Array(places.length).fill(1 / places.length)),
  };
}

/** Writes `model.safetensors` in half precision, under Hugging Face's names. */
export async function writeBackbone(file: string, tensors: Readonly<Record<string, HostTensor<"f32">>>): Promise<void> {
  const stored = Object.entries(tensors).map(([name, t]): [string, StoredTensor] => [
    name,
    { dtype: "f16", shape: t.shape, data: f32ToF16(t.data) },
  ]);
  await writeSafetensors(file, new Map(stored), { format: "pt" });
}
