/** @file EmoSLLM as a graph: frames through the projector, its vectors among the prompt's embeddings, through the adapted language model. */
import { type LanguageModel, type SpeechEncoder, type TensorTable, causalLayout } from "@emosllm/backbones";
import {
  type Dim,
  type Shape,
  type Tensor,
  concat,
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
import { EmosllmError } from "@emosllm/interfaces";
import type { LoraAdapter } from "@emosllm/lora";
import type { Projector } from "@emosllm/projector";
import { weightsWith } from "./adapted-encoder.ts";
import { type AudioInputs, type BatchForm, type StepInputs, stepInputs } from "./step-inputs.ts";

/** The parts of one model. */
export interface EmoSllmParts {
  readonly languageModel: LanguageModel;
  readonly projector: Projector;
  readonly adapter: LoraAdapter | undefined;
  /** Width of an audio frame; 1 where frames are samples of sound, for an encoder with an adapter. */
  readonly audioSize: number;
  /** Speech encoder that is a part of the projector, for its weights. */
  readonly encoder?: SpeechEncoder | undefined;
}

/** What programs of the model find by name. */
export const weightsOf = ({ languageModel, encoder }: EmoSllmParts): TensorTable =>
  encoder ? weightsWith(encoder, languageModel.weights) : languageModel.weights;

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
  /** Trained parameters that the graph reads, by name. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** `[labels, vocabSize]` */
  readonly logits: Tensor;
  /** Negative log-likelihood of each label token, `[labels]`. */
  readonly losses: Tensor;
}

type Parameter = (name: string, shape: Shape) => Tensor;

/** An adapter on an output layer that the model does not use would be trained, saved and never seen. */
function checkOutputLayer({ languageModel, adapter }: EmoSllmParts): void {
  // Where the adapter knows that the output is the embeddings, its own matrix takes their place; otherwise nobody would read it.
  const own = adapter?.replaced.has("lm_head.weight") && !adapter.outsideLinear.includes("lm_head.weight");
  const touched = own || adapter?.targets.some((t) => t.path === "lm_head");
  if (touched && languageModel.config.tieWordEmbeddings)
    throw new EmosllmError(
      "adapter_invalid",
      "the adapter changes lm_head, but this model's output layer is its embedding matrix (tie_word_embeddings), whatever the checkpoint stores; leave lm_head out",
    );
}

/** Options of {@link buildGraph}. */
export interface GraphOptions {
  /** i64 scalar, another one each step: with it the adapter's `lora_dropout` works. For training only. */
  readonly dropoutKey?: Tensor;
  /**
   * Compute layers of the language model again for the gradient instead of keeping their values: all, or those chosen (counted from 0).
   * As `gradient_checkpointing` of transformers; same numbers, a third more arithmetic, far less memory.
   */
  readonly gradientCheckpointing?: GradientCheckpointing | undefined;
}

/** All layers or none, or a choice of them. */
export type GradientCheckpointing = boolean | ((layer: number) => boolean);

/** Builds the graph. Nothing is computed here. */
export function buildGraph(parts: EmoSllmParts, form: BatchForm, options: GraphOptions = {}): EmoSllmGraph {
  const { languageModel, projector, adapter } = parts;
  checkOutputLayer(parts);
  const read: Record<string, Tensor> = {};
  const parameter: Parameter = (name, shape) => (read[name] ??= input(name, shape));
  const inputs = stepInputs(form, parts.audioSize, projector.vectors);
  const { packing, branches, labels: asked } = inputs;
  const [rows, suffix] = packing.places.shape as [Dim, Dim];
  const prefix: Dim = inputs.prefixIds ? (inputs.prefixIds.shape[0] as Dim) : 0;

  const model = adapter ? adapter.adapt(languageModel, parameter, options) : languageModel;
  const text = model.embed(inputs.ids);
  const own = inputs.audio ? placeAudio(parts, inputs.audio, text, parameter) : text;
  const hidden = inputs.prefixIds ? concat([model.embed(inputs.prefixIds), own], 0) : own;

  const layout = causalLayout({ rows, suffix, prefix, packing, asked, ...(branches ? { branches } : {}) });
  const { gradientCheckpointing: again = false } = options;
  const recompute = again === true ? (): boolean => true : again === false ? undefined : again;
  const logits = model.head(model.layers(hidden, layout, model.linear, { recompute }));
  // Parameters in the declared order, whatever order the graph asked for them in.
  const parameters = Object.fromEntries(
    Object.keys(trainedShapes(parts)).flatMap((name) => (read[name] ? [[name, read[name]] as const] : [])),
  );
  return { inputs, parameters, logits, losses: softmaxCrossEntropy(logits, inputs.labelIds) };
}

/** The projected vectors at their places among the text's embeddings, `[rows*suffix, width]`. */
function placeAudio(
  { languageModel, projector }: EmoSllmParts,
  audio: AudioInputs,
  text: Tensor,
  parameter: Parameter,
): Tensor {
  const vectors = projector.build(
    audio.features,
    audio.lengths,
    (name, shape) => parameter(PROJECTOR_PREFIX + name, shape),
    audio.packing,
  );
  const pool = reshape(vectors, [audio.places.shape[0] as Dim, languageModel.config.hiddenSize]);
  const zero = scalar(0, "i64");
  const isAudio = reshape(greaterEqual(audio.index, zero), [audio.index.shape[0] as Dim, 1]);
  return where(isAudio, takeRows(pool, maximum(audio.index, zero), audio.places), text);
}

/** The loss of a graph: label losses weighted by the fed `label_weights` `[labels]` and added up. */
export const weightedLoss = (graph: EmoSllmGraph): Tensor => sum(mul(graph.losses, input("label_weights", ["labels"])));
