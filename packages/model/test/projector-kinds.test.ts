import type { TensorSource } from "@emosllm/checkpoints";
import { type Tensor, gradients } from "@emosllm/graph";
import { type LoraConfig, loraAdapter, loraConfig } from "@emosllm/lora";
import { projectorConfig } from "@emosllm/projector";
import { compile, feedsOf } from "@emosllm/runtime";
import { describe, expect, test } from "vitest";
import { type BatchRow, buildGraph, layOutBatch, openScorer, weightedLoss } from "../src/index.ts";
import { AUDIO_SIZE, WIDTH, randoms, tinyModel } from "./tiny.ts";

const r = randoms(21);
const ids = (n: number): number[] => Array.from({ length: n }, () => Math.floor((r() + 1) * 19.9));
const row = (length: number, shared: readonly number[]): BatchRow => ({
  before: [...shared, ...ids(length % 3)],
  after: ids(2),
  answers: [ids(2), ids(1)],
  frames: { length, data: Float32Array.from({ length: length * AUDIO_SIZE }, () => r()) },
});

const small = { hidden_size: 8, num_heads: 2, num_layers: 1, intermediate_size: 12 };
const KINDS: readonly Readonly<Record<string, unknown>>[] = [
  { type: "qp_mapper", hidden_size: 8, num_heads: 2, num_queries: 3 },
  { type: "q_former", ...small, num_queries: 3 },
  { type: "window_q_former", ...small, num_queries: 2, frames_per_second: 4, seconds_per_window: 1 },
  { type: "concat_mlp", frames_per_vector: 3, hidden_size: 9 },
  { type: "conv", num_layers: 2, hidden_size: 7 },
  { type: "pooled_linear" },
  { type: "pooled_linear", frames_per_vector: 2, input_size: 1, num_layers_in: AUDIO_SIZE },
];

describe.each(KINDS)("$type", (own) => {
  const config = projectorConfig({ input_size: AUDIO_SIZE, output_size: WIDTH, ...own });
  const prompt = ids(5);
  // One frame, a length that fills no group, a long one: each with another number of vectors, where the kind has it so.
  const rows = [7, 1, 16, 4].map((n) => row(n, prompt));

  test("rows of one batch score as each alone, on a shared prefix or not", async () => {
    const { parts, parameters } = await tinyModel(4, config);
    const scorer = openScorer(parts);
    const flat = async (part: readonly BatchRow[], sharedPrefix = true): Promise<number[]> =>
      (await scorer.score(part, parameters, { sharedPrefix })).flat(2);
    const alone = (await Promise.all(rows.map((one) => flat([one])))).flat();
    for (const together of [await flat(rows), await flat(rows, false)]) {
      expect(together).toHaveLength(alone.length);
      // f32 sums in another order: a few units in the last place of log-likelihoods of size 1 to 10.
      together.forEach((v, i) => expect(v).toBeCloseTo(alone[i] as number, 4));
    }
    await scorer.dispose();
  });

  test("gradients of a batch are the sum of its rows'", async () => {
    const { parts, parameters } = await tinyModel(4, config);
    const gradientsOf = async (part: readonly BatchRow[]): Promise<ReadonlyMap<string, Float32Array>> => {
      const trained = part.map((one) => ({ ...one, answers: one.answers.slice(0, 1) }));
      const batch = layOutBatch(trained, {
        vectors: parts.projector.vectors,
        audioSize: parts.audioSize,
        labelWeights: () => 1,
      });
      const graph = buildGraph(parts, batch.form);
      const names = Object.keys(graph.parameters);
      const ds = gradients(weightedLoss(graph), Object.values(graph.parameters));
      const program = await compile(Object.fromEntries(names.map((name, i) => [name, ds[i] as Tensor])), {
        weights: parts.languageModel.checkpoint.tensors,
      });
      const out = await program.run(feedsOf(program, { ...batch.feeds, ...parameters }));
      await program.dispose();
      return new Map(names.map((name) => [name, out[name]?.data as Float32Array]));
    };
    const together = await gradientsOf(rows);
    const alone = await Promise.all(rows.map((one) => gradientsOf([one])));
    for (const [name, d] of together) {
      const sum = d.map((_, i) => alone.reduce((n, g) => n + (g.get(name)?.[i] ?? NaN), 0));
      const most = Math.max(...sum.map(Math.abs), 1e-2);
      // Sums over rows in another order.
      d.forEach((v, i) => expect(Math.abs(v - (sum[i] as number)) / most, name).toBeLessThan(2e-5));
    }
  });
});

test("an adapter on an output layer that is the embedding matrix is refused, not trained for nothing", async () => {
  const { parts } = await tinyModel(4);
  const base = {
    linearPaths: parts.languageModel.linearPaths,
    tensors: new Map(parts.languageModel.checkpoint.tensors),
  };
  const on = (names: readonly string[]): LoraConfig => loraConfig({ peft_type: "LORA", target_modules: names });
  expect(() => loraAdapter(on(["q_proj", "lm_head"]), base)).toThrow(/output layer is its embedding matrix/);
  // Some checkpoints store the matrix again under lm_head; the model does not read it.
  const embeddings = base.tensors.get("model.embed_tokens.weight") as TensorSource;
  base.tensors.set("lm_head.weight", { ...embeddings, name: "lm_head.weight" });
  const adapter = loraAdapter(on(["q_proj", "lm_head"]), base);
  const form = { shared: false, audio: true, branched: false };
  expect(() => buildGraph({ ...parts, adapter }, form)).toThrow(/the adapter changes lm_head, but/);
});
