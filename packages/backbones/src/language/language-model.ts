/** @file A language model as functions over the graph: embed ids, run the layers, read logits off chosen rows. */
import { join } from "node:path";
import { type Checkpoint, type OpenCheckpointOptions, openCheckpoint } from "@emosllm/checkpoints";
import { type Tensor, cast, gather, isOp, matmul, mul, tanh } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { readJsonObject } from "../json-file.ts";
import { type Linear, type TensorTable, frozen, linearOver } from "../linear.ts";
import {
  type LinearToPack,
  type PackedLinears,
  type PrecisionOptions,
  matMulPacked,
  packLinears,
  plannedLinears,
  withPacked,
} from "../precision.ts";
import type { Architecture, NormOver } from "./architecture.ts";
import { type ModelConfig, parseModelConfig } from "./config.ts";
import { decoder, normOf } from "./decoder.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import type { TokenLayout } from "./layout.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { smollm3 } from "./smollm3.ts";

/** Architectures by `model_type`. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  phi3,
  smollm3,
  gemma2,
  gemma3_text: gemma3,
};

/** A checkpoint that can be put into graphs. */
export interface LanguageModel {
  readonly config: ModelConfig;
  readonly checkpoint: Checkpoint;
  /** What programs are to find by name: the checkpoint's tensors, and packed ones. */
  readonly weights: TensorTable;
  /** Paths of the linear layers that an adapter may target. */
  readonly linearPaths: readonly string[];
  /** The checkpoint's own linear layers. */
  readonly linear: Linear;
  /** ids i64 `[n]` -> `[n, hiddenSize]` */
  readonly embed: (ids: Tensor) => Tensor;
  /** `[tokens, hiddenSize]` -> the same after all layers, before the final norm. */
  readonly layers: (hidden: Tensor, layout: TokenLayout, linear?: Linear, options?: LayersOptions) => Tensor;
  /** `[n, hiddenSize]` -> logits `[n, vocabSize]`, final norm included. */
  readonly head: (hidden: Tensor, linear?: Linear) => Tensor;
  /** Factor of the embeddings that are looked up (Gemma's); 1 elsewhere. */
  readonly embedScale: number;
  /** The same model where embeddings, norms or the output matrix are others than the checkpoint's. */
  readonly over: (replaced: Replaced, norm?: NormOver) => ModelFunctions;
}

/** What a language model computes, without where its numbers lie. */
export type ModelFunctions = Pick<LanguageModel, "linear" | "embed" | "layers" | "head">;

/**
 * What stands in place of a tensor of the checkpoint; undefined for the tensor itself. Asked for embeddings, norms, and `lm_head.weight`
 * where the output matrix is the embeddings (then only of that use); linear layers are the {@link Linear}'s.
 */
export type Replaced = (name: string) => Tensor | undefined;

/** Options of {@link LanguageModel.layers}. */
export interface LayersOptions {
  /**
   * Layers (from 0) whose values are computed again for the gradient instead of kept, as Hugging Face's `gradient_checkpointing`: of
   * such a layer only its input stays in memory. The last layer's are always kept: its gradient comes first.
   */
  readonly recompute?: ((layer: number) => boolean) | undefined;
}

/** Options of {@link openLanguageModel}. */
export interface OpenLanguageModelOptions extends OpenCheckpointOptions, PrecisionOptions {}

/** Opens a folder as Hugging Face lays it out (`config.json`, `*.safetensors` or `pytorch_model.bin`). Throws EmosllmError. */
export async function openLanguageModel(
  folder: string,
  options: OpenLanguageModelOptions = {},
): Promise<LanguageModel> {
  const raw = await readJsonObject(join(folder, "config.json"), "a model folder needs config.json and weights");
  const config = parseModelConfig(raw);
  const checkpoint = await openCheckpoint(folder, options);
  return languageModel(config, checkpoint, await packLinears(linearsOf(config, checkpoint.tensors), options));
}

/** The model as it would be in another precision, for its shapes: nothing is packed, and programs cannot find the packed weights. */
export function plannedPrecision(
  { config, checkpoint }: Pick<LanguageModel, "config" | "checkpoint">,
  options: PrecisionOptions,
): LanguageModel {
  return languageModel(config, checkpoint, plannedLinears(linearsOf(config, checkpoint.tensors), options));
}

/**
 * Every linear layer of the layers, and the output matrix, at 8 bits also for int4: errors there reach the answer undamped (llama.cpp
 * keeps 6 or 8 bits there as well). Tied, the embeddings that are looked up stay exact: only the few rows asked for are ever read.
 */
function linearsOf(config: ModelConfig, tensors: TensorTable): LinearToPack[] {
  const layers = linearPathsOf(tensors.keys()).map((path) => ({ path, source: tensors.get(`${path}.weight`) }));
  const tied = isTied(config, tensors);
  const head = {
    path: HEAD,
    source: tensors.get(tied ? EMBEDDINGS : `${HEAD}.weight`),
    bits: 8,
    blockSize: 128,
  } as const;
  return [...layers, head].flatMap(({ source, ...rest }) => (source ? [{ source, ...rest }] : []));
}

const HEAD = "lm_head";
const EMBEDDINGS = "model.embed_tokens.weight";
const isTied = (config: ModelConfig, names: { has(name: string): boolean }): boolean =>
  config.tieWordEmbeddings || !names.has(`${HEAD}.weight`);
/** Rows of a table: those that are looked up become f32, not the table, which is mapped and stays on disk. */
const rowsOf = (table: Tensor, ids: Tensor): Tensor =>
  isOp(table, "cast") ? cast(gather(table.inputs[0] as Tensor, ids), table.dtype) : gather(table, ids);

const linearPathsOf = (names: Iterable<string>): string[] =>
  [...names]
    .filter((name) => /\.layers\.\d+\..*_proj\.weight$/.test(name))
    .map((name) => name.slice(0, -".weight".length));

/** Puts a checkpoint behind {@link LanguageModel}. Throws EmosllmError `model_unsupported` for an unknown `model_type`. */
export function languageModel(config: ModelConfig, checkpoint: Checkpoint, packed?: PackedLinears): LanguageModel {
  const { tensors } = checkpoint;
  return {
    ...languageModelOver(config, new Set(tensors.keys()), (name) => frozen(tensors, name), packed?.matrices),
    checkpoint,
    weights: packed ? withPacked(tensors, packed) : tensors,
  };
}

/** The same over any tensors by name (trained ones, say): `names` are those there are, `packed` the layers that are held as integers. */
export function languageModelOver(
  config: ModelConfig,
  names: ReadonlySet<string>,
  tensor: (name: string) => Tensor,
  packed: PackedLinears["matrices"] = new Map(),
  replaced: Replaced = () => undefined,
  norm?: NormOver,
): Omit<LanguageModel, "checkpoint" | "weights"> {
  const architecture = ARCHITECTURES[config.modelType];
  if (!architecture)
    throw new EmosllmError(
      "model_unsupported",
      `model_type '${config.modelType}' is not supported; supported are ${Object.keys(ARCHITECTURES).join(", ")}`,
    );
  const linear = linearOver(names, tensor, packed);
  const tied = isTied(config, names);
  const own: typeof tensor = (name) => replaced(name) ?? tensor(name);
  const tiedHead = (x: Tensor): Tensor => {
    const output = replaced(`${HEAD}.weight`);
    if (output) return matmul(x, output, { transB: true });
    const integers = packed.get(HEAD);
    return integers ? matMulPacked(x, integers) : matmul(x, tensor(EMBEDDINGS), { transB: true });
  };
  const softcap = architecture.logitSoftcap?.(config);
  const embedScale = architecture.embedScale?.(config) ?? 1;
  return {
    config,
    linear,
    linearPaths: linearPathsOf(names),
    embedScale,
    over: (...others) => languageModelOver(config, names, tensor, packed, ...others),
    embed: (ids) => mul(rowsOf(own(EMBEDDINGS), ids), embedScale),
    layers: (hidden, layout, given = linear, { recompute } = {}) =>
      decoder(architecture, { config, tensor: own, linear: given, norm, layout, hidden, recompute }),
    head: (hidden, given = linear) => {
      const normed = normOf(architecture, { config, tensor: own, norm })("model.norm", hidden);
      const logits = tied ? tiedHead(normed) : (given([HEAD], normed)[0] as Tensor);
      return softcap === undefined ? logits : mul(tanh(mul(logits, 1 / softcap)), softcap);
    },
  };
}
