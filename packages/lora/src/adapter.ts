/** @file The trained part of a LoRA adapter: names and shapes as PEFT's files have them, and how it enters a backbone's linear layers. */
import type { Linear, ModelFunctions } from "@emosllm/backbones";
import type { Shape, Tensor } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type AdaptableModel, adaptedModel } from "./adapted-model.ts";
import {
  EMBEDDING,
  EMBEDDING_WEIGHT,
  type LoraBase,
  OUTPUT_WEIGHT,
  embeddingPath,
  isTied,
  outputPath,
  sourceOf,
} from "./base.ts";
import type { LoraConfig } from "./config.ts";
import { type InitialFactors, beginsWithBase } from "./initial-factors.ts";
import { adaptedLayers } from "./linear-layers.ts";
import { PREFIX, namesOf, tokenRowsName } from "./names.ts";
import { replacedTensors } from "./replaced.ts";
import { type LoraTarget, loraTargets, matchTargets } from "./targets.ts";

/** A trained tensor as graph, by PEFT's name. */
export type Parameter = (name: string, shape: Shape) => Tensor;

/** Options of {@link LoraAdapter.apply}. */
export interface ApplyOptions {
  /** i64 scalar, another one each step: with it `lora_dropout` of the inputs of A are 0. For training only. */
  readonly dropoutKey?: Tensor;
}

/** What an adapter changes, by the names of PEFT's files. */
export interface AdapterLayout {
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** Shapes by PEFT's names: A `[r, in]`, B `[out, r]`, then what else the config trains. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** Tensors of the base that are trained whole: name in the base -> name in `parameters`. */
  readonly replaced: ReadonlyMap<string, string>;
  /** What A and B began with and the base is without, for "pissa" and "olora". */
  readonly initial: InitialFactors | undefined;
  /** Tokens whose embeddings are trained (`trainable_token_indices`), in the order of their rows. */
  readonly tokens: readonly number[];
  /** Tensors that PEFT's files hold once more by another name: that name -> the name in `parameters`. */
  readonly copies: ReadonlyMap<string, string>;
}

/** An adapter without its numbers. */
export interface LoraAdapter extends AdapterLayout {
  /** What it changes beside linear layers: names of the base's tensors. {@link LoraAdapter.apply} alone does not reach these. */
  readonly outsideLinear: readonly string[];
  /** The language model with the adapter: linear layers, embeddings, norms and output. */
  readonly adapt: (model: AdaptableModel, parameter: Parameter, options?: ApplyOptions) => ModelFunctions;
  /**
   * A backbone's linear layers with the adapter: W x + scaling * B(A x); with DoRA m / |W + scaling * B A| times that. Throws EmosllmError
   * `not_supported` for an adapter that changes more than linear layers.
   */
  readonly apply: (linear: Linear, parameter: Parameter, options?: ApplyOptions) => Linear;
  /** The same whatever else the adapter changes: for those who see to the rest. */
  readonly layers: (linear: Linear, parameter: Parameter, options?: ApplyOptions) => Linear;
}

/** What PEFT offers beyond this package; each changes what is computed. */
const UNSUPPORTED: readonly string[] = [
  "alora_invocation_tokens",
  "arrow_config",
  "kasa_config",
  "layer_replication",
  "megatron_config",
  "monteclora_config",
  "target_parameters",
  "use_bdlora",
  "use_qalora",
  "velora_config",
];

/** These take something out of the base's weights in ways that this package does not compute, so that A and B alone do not fit the plain base. */
const CHANGES_BASE = /^(corda|loftq|lora_ga)/;

function refuseUnsupported(config: LoraConfig, given: InitialFactors | undefined): void {
  const asked = UNSUPPORTED.filter((key) => {
    const value = config[key];
    return value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
  });
  if (asked.length > 0)
    throw new EmosllmError("not_supported", `adapter_config.json: ${asked.join(", ")} is not supported`);
  const initial = config.init_lora_weights;
  if (typeof initial === "string" && CHANGES_BASE.test(initial))
    throw new EmosllmError(
      "not_supported",
      `adapter_config.json: init_lora_weights '${initial}' changes the base's weights; save the adapter as a plain LoRA (PEFT: path_initial_model_for_weight_conversion)`,
    );
  if (beginsWithBase(config) && !given)
    throw new EmosllmError(
      "not_supported",
      `init_lora_weights '${String(initial)}' begins with a part of the base; give it as \`initial\` (initialFactors)`,
    );
}

/** Options of {@link loraAdapter}. */
export interface LoraAdapterOptions {
  /** Throw for target names that match nothing (the default); otherwise they are left out. */
  readonly strict?: boolean;
  /** The part of the base that "pissa" and "olora" begin with, from `initialFactors`; needed for these only. */
  readonly initial?: InitialFactors | undefined;
}

/** Lays an adapter out over a base. Throws EmosllmError `adapter_invalid`, `not_supported`. */
export function loraAdapter(
  config: LoraConfig,
  base: LoraBase,
  { strict = true, initial }: LoraAdapterOptions = {},
): LoraAdapter {
  refuseUnsupported(config, initial);
  const [output, embedding] = [outputPath(base), embeddingPath(base)];
  const find = strict
    ? loraTargets
    : (...args: Parameters<typeof matchTargets>): readonly LoraTarget[] => matchTargets(...args).targets;
  const targets = find(config, base.linearPaths, output, embedding);
  refuseEmbeddings(config, base, targets);
  const linearModules = new Set([...base.linearPaths, ...(output === undefined ? [] : [output])]);
  const replaced = replacedTensors(config, base, new Set(targets.map((t) => t.path)), linearModules);
  const tokens = trainedTokens(config, base);

  const shapeOf = (name: string): readonly number[] => sourceOf(base, name)?.shape ?? [];
  const parameters: Record<string, readonly number[]> = {};
  for (const target of targets) {
    const [rows, columns] = shapeOf(`${target.path}.weight`) as readonly [number, number];
    const [out, input] = target.embedding ? [columns, rows] : [rows, columns];
    const names = namesOf(target);
    parameters[names.a] = [target.rank, input];
    parameters[names.b] = [out, target.rank];
    if (config.lora_bias) parameters[names.bBias] = [out];
    if (config.use_dora) parameters[names.magnitude] = [out];
  }
  for (const [from, name] of replaced) parameters[name] = shapeOf(from);
  if (tokens.length > 0) parameters[tokenRowsName(EMBEDDING)] = [tokens.length, shapeOf(EMBEDDING_WEIGHT)[1] as number];

  const outsideLinear = [
    ...targets.flatMap((t) => (t.embedding ? [`${t.path}.weight`] : [])),
    ...[...replaced.keys()].filter((name) => !linearModules.has(name.slice(0, name.lastIndexOf(".")))),
    ...(tokens.length > 0 ? [EMBEDDING_WEIGHT] : []),
  ];
  // PEFT ties the output to trained embeddings, and writes both.
  const ensured = config["ensure_weight_tying"] === true && isTied(base) && !replaced.has(OUTPUT_WEIGHT);
  const embeddings = ensured ? replaced.get(EMBEDDING_WEIGHT) : undefined;
  const copies = new Map(embeddings === undefined ? [] : [[PREFIX + OUTPUT_WEIGHT, embeddings] as const]);
  const layout: AdapterLayout = { config, targets, parameters, replaced, initial, tokens, copies };
  const layers: LoraAdapter["layers"] = (linear, parameter, options = {}) =>
    adaptedLayers(layout, base, linear, parameter, options);
  return {
    ...layout,
    outsideLinear,
    layers,
    adapt: (model, parameter, options = {}) => adaptedModel(layout, base, model, parameter, options),
    apply: (linear, parameter, options = {}) => {
      if (outsideLinear.length > 0)
        throw new EmosllmError(
          "not_supported",
          `the adapter changes ${outsideLinear.slice(0, 3).join(", ")}, which is no linear layer; here only linear layers can be adapted`,
        );
      return layers(linear, parameter, options);
    },
  };
}

/** PEFT has no bias beside an embedding's B, and ties the output to adapted embeddings by an adapter of its own. */
function refuseEmbeddings(config: LoraConfig, base: LoraBase, targets: readonly LoraTarget[]): void {
  const target = targets.find((t) => t.embedding);
  if (!target) return;
  const reason = config.lora_bias
    ? "lora_bias: PEFT has none for embeddings"
    : beginsWithBase(config)
      ? `init_lora_weights '${String(config.init_lora_weights)}': it is defined for linear layers`
      : config["ensure_weight_tying"] === true && isTied(base)
        ? "ensure_weight_tying: train the embeddings whole (modules_to_save) instead"
        : undefined;
  if (reason !== undefined)
    throw new EmosllmError("not_supported", `adapter_config.json: an adapter on ${target.path} with ${reason}`);
}

/** `trainable_token_indices`: a list, or one by the name of the embeddings. Throws EmosllmError `adapter_invalid`, `not_supported`. */
function trainedTokens(config: LoraConfig, base: LoraBase): readonly number[] {
  const asked = config["trainable_token_indices"] ?? null;
  if (asked === null) return [];
  const rows = base.tensors.get(EMBEDDING_WEIGHT)?.shape[0] ?? 0;
  const byName = Array.isArray(asked) ? { embed_tokens: asked as unknown[] } : (asked as Record<string, unknown>);
  const other = Object.keys(byName).find((name) => !`.${EMBEDDING}`.endsWith(`.${name}`));
  if (other !== undefined)
    throw new EmosllmError(
      "not_supported",
      `adapter_config.json: trainable_token_indices of '${other}' is not supported; of embed_tokens it is`,
    );
  const ids = Object.values(byName).flat();
  if (rows === 0)
    throw new EmosllmError("not_supported", "adapter_config.json: trainable_token_indices needs a language model");
  const wrong = ids.find((id) => !(Number.isInteger(id) && (id as number) >= 0 && (id as number) < rows));
  if (wrong !== undefined)
    throw new EmosllmError(
      "adapter_invalid",
      `adapter_config.json: trainable_token_indices holds ${JSON.stringify(wrong)}; the base has tokens 0 to ${rows - 1}`,
    );
  return ids as number[];
}
