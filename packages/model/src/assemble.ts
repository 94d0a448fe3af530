/** @file EmoSLLM as a graph: frames through the projector, its vectors among the prompt's embeddings, through the adapted language model. */
import { type LanguageModel, causalLayout } from "@emosllm/backbones";
import {
  type Dim,
  type Shape,
  type Tensor,
  concat,
  gather,
  greaterEqual,
  input,
  maximum,
  mul,
  reshape,
  scalar,
  softmaxCrossEntropy,
  sum,
  takeRows,
  where,
} from "@emosllm/graph";
import type { LoraAdapter } from "@emosllm/lora";
import type { Projector } from "@emosllm/projector";
import { type StepInputs, stepInputs } from "./step-inputs.ts";

/** The parts of one model. */
export interface EmoSllmParts {
  readonly languageModel: LanguageModel;
  readonly projector: Projector;
  readonly adapter: LoraAdapter | undefined;
  /** Width of an audio frame. */
  readonly audioSize: number;
}

/** Projector parameters carry this prefix, adapter parameters PEFT's own names. */
export const PROJECTOR_PREFIX = "projector.";

/** Shapes of everything trained, by name: the projector's first, then the adapter's. */
export function trainedShapes({ projector, adapter }: EmoSllmParts): Record<string, readonly number[]> {
  const own = Object.entries(projector.parameters).map(([name, shape]) => [PROJECTOR_PREFIX + name, shape] as const);
  return { ...Object.fromEntries(own), ...adapter?.parameters };
}

/** The graph of one batch. */
export interface EmoSllmGraph {
  readonly inputs: StepInputs;
  /** Trained parameters by name. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** `[labels, vocabSize]` */
  readonly logits: Tensor;
  /** Weighted sum of cross entropies, a scalar. */
  readonly loss: Tensor;
}

/** Options of {@link buildGraph}. */
export interface GraphOptions {
  /** Rows share a prefix (fed as `prefix_ids`), which then runs once. */
  readonly sharedPrefix: boolean;
}

/** Builds the graph. Nothing is computed here. */
export function buildGraph(parts: EmoSllmParts, { sharedPrefix }: GraphOptions): EmoSllmGraph {
  const { languageModel, projector, adapter } = parts;
  const parameters: Record<string, Tensor> = {};
  const parameter = (name: string, shape: Shape): Tensor => (parameters[name] ??= input(name, shape));
  const inputs = stepInputs(parts.audioSize, projector.queries, sharedPrefix);

  const vectors = projector.build(inputs.audioFeatures, inputs.audioLengths, (name, shape) =>
    parameter(PROJECTOR_PREFIX + name, shape),
  );
  const [rows, suffix] = inputs.suffixIds.shape as [Dim, Dim];
  const own = inputs.audioIndex.shape[0] as Dim;
  const width = languageModel.config.hiddenSize;
  const text = languageModel.embed(reshape(inputs.suffixIds, [own]));
  const isAudio = reshape(greaterEqual(inputs.audioIndex, scalar(0, "i64")), [own, 1]);
  const pool = reshape(vectors, [inputs.audioPlaces.shape[0] as Dim, width]);
  const placed = takeRows(pool, maximum(inputs.audioIndex, scalar(0, "i64")), inputs.audioPlaces);
  const suffixHidden = where(isAudio, placed, text);
  const hidden = inputs.prefixIds ? concat([languageModel.embed(inputs.prefixIds), suffixHidden], 0) : suffixHidden;
  const prefix: Dim = inputs.prefixIds ? (inputs.prefixIds.shape[0] as Dim) : 0;

  const linear = adapter ? adapter.apply(languageModel.linear, parameter) : languageModel.linear;
  const out = languageModel.layers(hidden, causalLayout({ rows, suffix, prefix }), linear);
  const logits = languageModel.head(gather(out, inputs.labelPlaces), linear);
  const loss = sum(mul(softmaxCrossEntropy(logits, inputs.labelIds), inputs.labelWeights));
  // Parameters in the declared order, whatever order the graph asked for them in.
  const ordered = Object.fromEntries(
    Object.keys(trainedShapes(parts)).map((name) => [name, parameters[name] as Tensor]),
  );
  return { inputs, parameters: ordered, logits, loss };
}
