/** @file The recipe as data: the model's shape and how it is trained. The training itself runs on this project's own engine. */

/** Size of the vocabulary, control tokens included. */
export const VOCABULARY_SIZE = 1536;

/** `config.json`, as transformers writes it: 1.3 million parameters, embeddings shared with the head. */
export const CONFIG: Readonly<Record<string, unknown>> = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 0,
  eos_token_id: 4,
  pad_token_id: 5,
  head_dim: 32,
  hidden_act: "silu",
  hidden_size: 128,
  initializer_range: 0.02,
  intermediate_size: 352,
  max_position_embeddings: 1024,
  mlp_bias: false,
  num_attention_heads: 4,
  num_hidden_layers: 6,
  num_key_value_heads: 2,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10000,
  tie_word_embeddings: true,
  // Two bytes a weight keep the committed file under 4 MB.
  torch_dtype: "float16",
  use_cache: true,
  vocab_size: VOCABULARY_SIZE,
};

/** How the weights come about. Names are those of transformers' `TrainingArguments` in camel case. */
export interface Recipe {
  /** Of examples and of the initial weights. */
  readonly seed: number;
  /** Longest sequence, tokens. */
  readonly maxTokens: number;
  /** Sequences in a step. */
  readonly batchSize: number;
  readonly maxSteps: number;
  /** Peak; linear warm-up, then a cosine down to `minLearningRate`. */
  readonly learningRate: number;
  readonly minLearningRate: number;
  readonly warmupSteps: number;
  readonly adamBeta1: number;
  readonly adamBeta2: number;
  readonly adamEpsilon: number;
  /** On matrices, not on norms. */
  readonly weightDecay: number;
  readonly maxGradNorm: number;
}

/** See {@link Recipe}. */
export const RECIPE: Recipe = {
  seed: 1,
  maxTokens: 160,
  batchSize: 20,
  maxSteps: 900,
  learningRate: 3e-3,
  minLearningRate: 1e-4,
  warmupSteps: 100,
  adamBeta1: 0.9,
  adamBeta2: 0.95,
  adamEpsilon: 1e-8,
  weightDecay: 0.05,
  maxGradNorm: 1,
};
