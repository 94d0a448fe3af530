/** @file PEFT's `adapter_config.json` for LoRA: every field kept, the ones that change what is computed checked. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";

/** The fields that this package acts on; any other field of the file is kept as it is. */
export interface LoraConfig {
  readonly peft_type: "LORA";
  readonly r: number;
  readonly lora_alpha: number;
  readonly lora_dropout: number;
  readonly target_modules: readonly string[] | string;
  readonly exclude_modules: readonly string[] | string | null;
  readonly layers_to_transform: readonly number[] | number | null;
  readonly layers_pattern: readonly string[] | string | null;
  readonly rank_pattern: Readonly<Record<string, number>>;
  readonly alpha_pattern: Readonly<Record<string, number>>;
  readonly use_rslora: boolean;
  readonly use_dora: boolean;
  readonly lora_bias: boolean;
  readonly bias: "none" | "all" | "lora_only";
  readonly modules_to_save: readonly string[] | null;
  readonly base_model_name_or_path: string | null;
  readonly [other: string]: unknown;
}

/** PEFT 0.20's defaults. */
export const LORA_DEFAULTS: LoraConfig = {
  alora_invocation_tokens: null,
  alpha_pattern: {},
  arrow_config: null,
  auto_mapping: null,
  base_model_name_or_path: null,
  bias: "none",
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: true,
  init_lora_weights: true,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_alpha: 8,
  lora_bias: false,
  lora_dropout: 0,
  megatron_config: null,
  megatron_core: "megatron.core",
  modules_to_save: null,
  peft_type: "LORA",
  qalora_group_size: 16,
  r: 8,
  rank_pattern: {},
  revision: null,
  target_modules: ["q_proj", "v_proj"],
  target_parameters: null,
  task_type: "CAUSAL_LM",
  trainable_token_indices: null,
  use_dora: false,
  use_qalora: false,
  use_rslora: false,
};

type Check = (value: unknown) => boolean;
const isCount: Check = (v) => typeof v === "number" && Number.isInteger(v) && v >= 1;
const isReal: Check = (v) => typeof v === "number" && Number.isFinite(v);
const isNames: Check = (v) => Array.isArray(v) && v.every((x) => typeof x === "string");
const orNull =
  (check: Check): Check =>
  (v) =>
    v === null || check(v);
const isNumbers: Check = (v) =>
  typeof v === "object" && v !== null && !Array.isArray(v) && Object.values(v).every(isReal);

const CHECKS: Readonly<Record<string, readonly [Check, string]>> = {
  peft_type: [(v) => v === "LORA", "'LORA'"],
  r: [isCount, "a whole number >= 1"],
  lora_alpha: [isReal, "a number"],
  lora_dropout: [(v) => isReal(v) && (v as number) >= 0 && (v as number) < 1, "a number in [0, 1)"],
  target_modules: [
    (v) => typeof v === "string" || (isNames(v) && (v as string[]).length > 0),
    "a list of names, a regular expression, or 'all-linear'",
  ],
  exclude_modules: [
    orNull((v) => typeof v === "string" || isNames(v)),
    "a list of names, a regular expression, or null",
  ],
  layers_to_transform: [
    orNull((v) => Number.isInteger(v) || (Array.isArray(v) && v.every(Number.isInteger))),
    "a layer, a list of layers, or null",
  ],
  layers_pattern: [orNull((v) => typeof v === "string" || isNames(v)), "a name, a list of names, or null"],
  rank_pattern: [(v) => isNumbers(v) && Object.values(v as object).every(isCount), "an object of whole numbers >= 1"],
  alpha_pattern: [isNumbers, "an object of numbers"],
  use_rslora: [(v) => typeof v === "boolean", "true or false"],
  use_dora: [(v) => typeof v === "boolean", "true or false"],
  lora_bias: [(v) => typeof v === "boolean", "true or false"],
  bias: [(v) => v === "none" || v === "all" || v === "lora_only", "'none', 'all' or 'lora_only'"],
  modules_to_save: [orNull(isNames), "a list of names or null"],
};

/** What PEFT's own LoraConfig refuses, and we do too: the file could not be read back there. */
const CONFLICTS: readonly (readonly [(c: LoraConfig) => boolean, string])[] = [
  [
    (c) => typeof c.target_modules === "string" && c.layers_to_transform !== null,
    "layers_to_transform cannot be used when target_modules is a regular expression or 'all-linear'",
  ],
  [
    (c) => typeof c.target_modules === "string" && c.layers_pattern !== null,
    "layers_pattern cannot be used when target_modules is a regular expression or 'all-linear'",
  ],
  [
    (c) => (c.layers_pattern?.length ?? 0) > 0 && c.layers_to_transform === null,
    "layers_pattern needs layers_to_transform",
  ],
  [(c) => c.lora_bias && c.use_dora, "lora_bias cannot be used with use_dora"],
];

/** Fills in PEFT's defaults and checks. Throws EmosllmError `adapter_invalid` naming every wrong field; `place` opens the message. */
export function loraConfig(fields: Readonly<Record<string, unknown>>, place = "adapter_config.json"): LoraConfig {
  if (fields["peft_type"] === undefined)
    throw new EmosllmError("adapter_invalid", `${place}: peft_type is missing; 'LORA' is supported`);
  const full = { ...LORA_DEFAULTS, ...fields };
  const problems = Object.entries(CHECKS).flatMap(([key, [check, accepted]]) =>
    check(full[key]) ? [] : [`${key} is ${JSON.stringify(full[key])}, accepted: ${accepted}`],
  );
  for (const [wrong, message] of CONFLICTS) if (problems.length === 0 && wrong(full)) problems.push(message);
  if (problems.length > 0) throw new EmosllmError("adapter_invalid", `${place}: ${problems.join("; ")}`);
  return full as LoraConfig;
}

/** Reads `adapter_config.json` of a folder. Throws EmosllmError `adapter_invalid`. */
export async function readLoraConfig(folder: string): Promise<LoraConfig> {
  const file = join(folder, "adapter_config.json");
  try {
    const fields: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof fields !== "object" || fields === null || Array.isArray(fields))
      throw new EmosllmError("adapter_invalid", `${file} is no JSON object`);
    return loraConfig(fields as Record<string, unknown>, file);
  } catch (cause) {
    if (cause instanceof EmosllmError) throw cause;
    throw new EmosllmError("adapter_invalid", `${file} cannot be read as JSON: ${(cause as Error).message}`, { cause });
  }
}

/** The text of the file as PEFT writes it: sorted keys, two blanks. */
export const loraConfigText = (config: LoraConfig): string =>
  JSON.stringify(
    Object.fromEntries(Object.entries({ ...config, inference_mode: true }).sort(([a], [b]) => (a < b ? -1 : 1))),
    null,
    2,
  );
