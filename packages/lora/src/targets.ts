/** @file Which modules an adapter changes, and with what rank and scaling: PEFT's matching rules. */
import { EmosllmError } from "@emosllm/interfaces";
import type { LoraConfig } from "./config.ts";

/** One adapted module. */
export interface LoraTarget {
  /** Path in the model, e.g. `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  readonly rank: number;
  /** Factor of B(A(x)). */
  readonly scaling: number;
  /** Embeddings, `[vocabulary, width]`: B A is the transpose of the change. */
  readonly embedding?: true;
}

const asList = <T>(value: T | readonly T[] | null): readonly T[] =>
  value === null ? [] : Array.isArray(value) ? value : [value as T];

/** Python's patterns are JavaScript's here, but for named groups and the end anchor. */
function pattern(text: string, key: string, wrap: (p: string) => string): RegExp {
  try {
    return new RegExp(wrap(text.replaceAll("(?P<", "(?<").replaceAll("\\Z", "$")));
  } catch (cause) {
    throw new EmosllmError(
      "adapter_invalid",
      `adapter_config.json: ${key} '${text}' is not a regular expression: ${(cause as Error).message}`,
      { cause },
    );
  }
}

const whole = (p: string): string => `^(?:${p})$`;

function names(value: readonly string[] | string, key: string): (path: string) => boolean {
  if (typeof value !== "string") return (path) => value.some((t) => path === t || path.endsWith(`.${t}`));
  const full = pattern(value, key, whole);
  return (path) => full.test(path);
}

function layerFilter(config: LoraConfig): (path: string) => boolean {
  const layers = new Set(asList(config.layers_to_transform));
  if (layers.size === 0) return () => true; // null and an empty list mean every layer
  const patterns = asList(config.layers_pattern).filter((p) => p !== "");
  // The first number after a name decides: in a mixture of experts the later ones count experts.
  const search =
    patterns.length === 0
      ? [/^.*?\.[^.]*\.(\d+)\./]
      : patterns.map((p) => pattern(p, "layers_pattern", (t) => `^(?:(?:^|.*?\\.)${t}\\.(\\d+)\\.)`));
  return (path) => {
    for (const re of search) {
      const found = re.exec(path);
      if (found) return found[1] !== undefined && layers.has(Number(found[1]));
    }
    return false;
  };
}

function override(table: Readonly<Record<string, number>>, key: string, path: string, fallback: number): number {
  for (const [name, value] of Object.entries(table))
    if (pattern(name, key, (p) => `^(?:.*\\.)?(?:${p})$`).test(path)) return value;
  return fallback;
}

/** Adapted modules, and the names of `target_modules` that match no module at all. */
export interface MatchedTargets {
  readonly targets: readonly LoraTarget[];
  readonly unmatched: readonly string[];
}

/**
 * PEFT's `check_target_module_exists` over `linearPaths` (all linear layers but the output layer), `outputPath` and `embeddingPath`, which
 * `all-linear` leaves out. Throws EmosllmError `adapter_invalid` for a broken pattern only.
 */
export function matchTargets(
  config: LoraConfig,
  linearPaths: readonly string[],
  outputPath: string | undefined = undefined,
  embeddingPath: string | undefined = undefined,
): MatchedTargets {
  const { target_modules: wanted, exclude_modules: excluded } = config;
  const all = isAllLinear(wanted);
  const others = all ? [] : [outputPath, embeddingPath].flatMap((path) => path ?? []);
  const paths = [...linearPaths, ...others];
  const isTarget = all ? () => true : names(wanted, "target_modules");
  const isExcluded = excluded === null ? () => false : names(excluded, "exclude_modules");
  const inLayers = layerFilter(config);
  const saved = asList(config.modules_to_save).map((m) =>
    pattern(m, "modules_to_save", (p) => `^(?:(^|.*\\.)${p}($|\\..*))`),
  );
  const targets = paths
    .filter((p) => isTarget(p) && !isExcluded(p) && inLayers(p) && !saved.some((s) => s.test(p)))
    .map((path) => {
      const rank = override(config.rank_pattern, "rank_pattern", path, config.r);
      const alpha = override(config.alpha_pattern, "alpha_pattern", path, config.lora_alpha);
      const scaling = config.use_rslora ? alpha / Math.sqrt(rank) : alpha / rank;
      return { path, rank, scaling, ...(path === embeddingPath ? { embedding: true as const } : {}) };
    });
  const listed = typeof wanted === "string" ? [] : wanted;
  const unmatched = listed.filter((t) => !paths.some((p) => p === t || p.endsWith(`.${t}`)));
  return { targets, unmatched: targets.length === 0 && unmatched.length === 0 ? asList(wanted) : unmatched };
}

/** `target_modules: "all-linear"`, in any case of letters. */
export const isAllLinear = (wanted: LoraConfig["target_modules"]): boolean =>
  typeof wanted === "string" && wanted.toLowerCase() === "all-linear";

/**
 * The adapted modules, in the order of `linearPaths`. Throws EmosllmError `adapter_invalid` when nothing, or one of the listed
 * names, matches no module.
 */
export function loraTargets(
  config: LoraConfig,
  linearPaths: readonly string[],
  outputPath?: string,
  embeddingPath?: string,
): LoraTarget[] {
  const { targets, unmatched } = matchTargets(config, linearPaths, outputPath, embeddingPath);
  if (unmatched.length > 0) {
    if (outputPath === undefined && unmatched.some((name) => /(^|\.)lm_head$/.test(name)))
      throw new EmosllmError(
        "adapter_invalid",
        `adapter_config.json: target_modules ${JSON.stringify(unmatched)}: this model's output layer is its embedding matrix (tie_word_embeddings), which an adapter cannot change by itself; train it whole (modules_to_save), or leave lm_head out`,
      );
    const leaves = [...new Set(linearPaths.map((p) => p.split(".").at(-1)))];
    throw new EmosllmError(
      "adapter_invalid",
      `adapter_config.json: target_modules ${JSON.stringify(unmatched)} matches no linear layer; there are ${[...leaves, ...(embeddingPath === undefined ? [] : [embeddingPath.split(".").at(-1)])].join(", ")}`,
    );
  }
  return [...targets];
}
