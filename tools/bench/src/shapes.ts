/** @file The shapes that benchmarks run at: those of the PyTorch reference, and the batch it makes. */
import type { BatchRow } from "@emosllm/model";
import { randomStream } from "@emosllm/training";

/** Sizes of a language model. */
export interface ShapeSizes {
  readonly hidden: number;
  readonly ffn: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocab: number;
  readonly theta: number;
}

const shape = (
  hidden: number,
  ffn: number,
  layers: number,
  heads: number,
  kvHeads: number,
  vocab: number,
  theta: number,
): ShapeSizes => ({ hidden, ffn, layers, heads, kvHeads, vocab, theta });

/** By the reference's names. */
export const SHAPES: Readonly<Record<string, ShapeSizes>> = {
  tiny: shape(64, 160, 2, 4, 2, 320, 10000),
  "smollm2-135m": shape(576, 1536, 30, 9, 3, 49152, 100000),
  "qwen2.5-0.5b": shape(896, 4864, 24, 14, 2, 151936, 1000000),
  "llama-3.2-1b": shape(2048, 8192, 16, 32, 8, 128256, 500000),
  "llama-3.2-3b": shape(3072, 8192, 28, 24, 8, 128256, 500000),
};

/** `config.json` of a Llama of these sizes. */
export const llamaConfig = (s: ShapeSizes, layers: number): Record<string, unknown> => ({
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  hidden_size: s.hidden,
  intermediate_size: s.ffn,
  num_hidden_layers: layers,
  num_attention_heads: s.heads,
  num_key_value_heads: s.kvHeads,
  vocab_size: s.vocab,
  rope_theta: s.theta,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  max_position_embeddings: 8192,
  bos_token_id: 1,
  eos_token_id: 2,
});

/** Sizes of a batch, named as the reference's flags. */
export interface BatchSizes {
  readonly batch: number;
  readonly frames: number;
  readonly dAudio: number;
  readonly prefix: number;
  readonly transcript: number;
  readonly seed: number;
}

/** Rows as the reference draws them: a shared prompt, a transcript of its own length, one to three label tokens, half to all frames. */
export function randomRows({ batch, frames, dAudio, prefix, transcript, seed }: BatchSizes, vocab: number): BatchRow[] {
  const r = randomStream(seed, "bench batch").next;
  const whole = (lo: number, hi: number): number => lo + Math.floor(r() * (hi - lo));
  const ids = (n: number): number[] => Array.from({ length: n }, () => whole(4, vocab));
  const before = ids(prefix);
  return Array.from({ length: batch }, (_, i) => {
    const length = i === 0 ? frames : whole(Math.floor(frames / 2), frames + 1);
    return {
      before,
      after: ids(whole(Math.floor(transcript / 2), transcript + 1)),
      answers: [ids(whole(1, 4))],
      frames: { length, data: Float32Array.from({ length: length * dAudio }, () => r() * 2 - 1) },
    };
  });
}
