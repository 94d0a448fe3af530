/** @file The trained part of a LoRA adapter: names and shapes as PEFT's files have them, and how it enters a backbone's linear layers. */
import { type Linear, type TensorTable, frozen, linearOver } from "@emosllm/backbones";
import {
  type Shape,
  type Tensor,
  add,
  concat,
  constant,
  div,
  dropout,
  matmul,
  mul,
  split,
  sqrt,
  sub,
  sum,
} from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type { LoraConfig } from "./config.ts";
import { constantCopy } from "./constant-copy.ts";
import { type InitialFactors, beginsWithBase } from "./initial-factors.ts";
import { loraNames } from "./names.ts";
import { replacedTensors } from "./replaced.ts";
import { type LoraTarget, loraTargets, matchTargets } from "./targets.ts";

/** The base's linear layers: paths and `[out, in]`. */
export interface LoraBase {
  readonly linearPaths: readonly string[];
  readonly tensors: TensorTable;
}

/** A trained tensor as graph, by PEFT's name. */
export type Parameter = (name: string, shape: Shape) => Tensor;

/** Options of {@link LoraAdapter.apply}. */
export interface ApplyOptions {
  /** i64 scalar, another one each step: with it `lora_dropout` of the inputs of A are 0. For training only. */
  readonly dropoutKey?: Tensor;
}

/** An adapter without its numbers. */
export interface LoraAdapter {
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** Shapes by PEFT's names: A `[r, in]`, B `[out, r]`, then what else the config trains. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** Tensors of the base that are trained whole: name in the base -> name in `parameters`. */
  readonly replaced: ReadonlyMap<string, string>;
  /** What A and B began with and the base is without, for "pissa" and "olora". */
  readonly initial: InitialFactors | undefined;
  /** The backbone's linear layers with the adapter: W x + scaling * B(A x); with DoRA m / |W + scaling * B A| times that. */
  readonly apply: (linear: Linear, parameter: Parameter, options?: ApplyOptions) => Linear;
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
  "trainable_token_indices",
  "use_bdlora",
  "use_qalora",
  "velora_config",
];

/** These take something out of the base's weights in ways that this package does not compute, so that A and B alone do not fit the plain base. */
const CHANGES_BASE = /^(corda|loftq|lora_ga|mica)/;

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

/** The output layer, where it has weights of its own. */
const outputPath = (tensors: TensorTable): string | undefined =>
  tensors.has("lm_head.weight") ? "lm_head" : undefined;

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
  const output = outputPath(base.tensors);
  const find = strict
    ? loraTargets
    : (...args: Parameters<typeof matchTargets>): readonly LoraTarget[] => matchTargets(...args).targets;
  const targets = find(config, base.linearPaths, output);
  const byPath = new Map(targets.map((t) => [t.path, t]));
  const linearModules = new Set([...base.linearPaths, ...(output === undefined ? [] : [output])]);
  const replaced = replacedTensors(config, base.tensors, new Set(byPath.keys()), linearModules);

  const shapeOf = (name: string): readonly number[] => base.tensors.get(name)?.shape ?? [];
  const parameters: Record<string, readonly number[]> = {};
  for (const { path, rank } of targets) {
    const [out, input] = shapeOf(`${path}.weight`) as readonly [number, number];
    const names = loraNames(path);
    parameters[names.a] = [rank, input];
    parameters[names.b] = [out, rank];
    if (config.lora_bias) parameters[names.bBias] = [out];
    if (config.use_dora) parameters[names.magnitude] = [out];
  }
  for (const [from, name] of replaced) parameters[name] = shapeOf(from);

  const streams = new Map(targets.map((t, i) => [t.path, i]));
  const apply: LoraAdapter["apply"] = (linear, parameter, { dropoutKey } = {}) => {
    const get = (name: string): Tensor => parameter(name, parameters[name] as Shape);
    const trained = (name: string): Tensor | undefined => {
      const own = replaced.get(name);
      return own === undefined ? undefined : get(own);
    };
    const inBase = (name: string): Tensor => frozen(base.tensors, name);
    const whole = linearOver(new Set(base.tensors.keys()), (name) => trained(name) ?? inBase(name));

    const rate = dropoutKey ? config.lora_dropout : 0;
    /** A x of each target. Without dropout all see the same x, so that their A's are one product. */
    const lowRank = (found: readonly LoraTarget[], x: Tensor): { low: Tensor; seen: Tensor }[] => {
      if (dropoutKey && rate > 0)
        return found.map(({ path }) => {
          const seen = dropout(x, dropoutKey, { rate, stream: streams.get(path) as number });
          return { seen, low: matmul(seen, get(loraNames(path).a), { transB: true }) };
        });
      if (found.length === 0) return [];
      const all = concat(
        found.map(({ path }) => get(loraNames(path).a)),
        0,
      );
      const low = matmul(x, all, { transB: true });
      const ranks = found.map(({ rank }) => rank);
      return split(low, 1, ranks).map((part) => ({ seen: x, low: part }));
    };

    /** W x + b -> the same without the part of W that A and B began with. */
    const withoutInitial = ({ path, rank, scaling }: LoraTarget, y: Tensor, x: Tensor): Tensor => {
      const factor = initial?.get(path);
      if (!factor) return y;
      const A = constant(factor.a, [rank, factor.a.length / rank]);
      const B = constant(factor.b, [factor.b.length / rank, rank]);
      return sub(y, matmul(matmul(x, A, { transB: true }), B, { transB: true, alpha: scaling }));
    };

    /** W x + b -> the same with the adapter. */
    const adapted = (
      target: LoraTarget,
      y: Tensor,
      x: Tensor,
      { low, seen }: { low: Tensor; seen: Tensor },
    ): Tensor => {
      const names = loraNames(target.path);
      const [A, B] = [get(names.a), get(names.b)];
      const change = matmul(low, B, { transB: true, alpha: target.scaling });
      if (config.lora_bias) return add(y, add(change, mul(get(names.bBias), target.scaling)));
      if (!config.use_dora) return add(y, change);
      // Liu et al. 2024 (arXiv 2402.09353), equation 5; its section 4.3 takes the norm as a constant.
      const W = inBase(`${target.path}.weight`);
      const moved = add(W, matmul(constantCopy(B), constantCopy(A), { alpha: target.scaling }));
      const factor = div(get(names.magnitude), sqrt(sum(mul(moved, moved), 1)));
      const biasName = `${target.path}.bias`;
      const bias = base.tensors.has(biasName) ? (trained(biasName) ?? inBase(biasName)) : undefined;
      const plain = seen === x ? (bias ? sub(y, bias) : y) : matmul(seen, W, { transB: true });
      return add(y, add(mul(sub(factor, 1), plain), mul(factor, change)));
    };

    return (paths, x) => {
      const asked = paths.filter((path) => !replaced.has(`${path}.weight`));
      const given = asked.length === 0 ? [] : linear(asked, x);
      const found = asked.flatMap((path) => byPath.get(path) ?? []);
      const low = new Map(lowRank(found, x).map((l, i) => [found[i], l]));
      return paths.map((path) => {
        const at = asked.indexOf(path);
        if (at < 0) return whole([path], x)[0] as Tensor;
        let y = given[at] as Tensor;
        const bias = trained(`${path}.bias`);
        if (bias) y = add(y, sub(bias, inBase(`${path}.bias`)));
        const target = byPath.get(path);
        const own = target && low.get(target);
        return own ? adapted(target, withoutInitial(target, y, x), x, own) : y;
      });
    };
  };
  return { config, targets, parameters, replaced, initial, apply };
}
