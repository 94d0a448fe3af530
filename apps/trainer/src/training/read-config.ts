/**
 * @file From YAML files to a {@link TrainConfig}: `extends`, `${ENVIRONMENT}` variables, `key=value` overrides, and every problem at once
 * with its file, line, value and what is accepted there.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { z } from "zod";
import { type TrainConfig, trainConfigSchema } from "./config.ts";
import { nameProblems } from "./config-names.ts";
import { nearestName } from "./nearest-name.ts";
import { type PlacedConfig, placeOf, readConfigFiles } from "./config-files.ts";

/** One thing wrong with a config. */
export interface ConfigProblem {
  /** Where it stands; `command line` for an override. */
  readonly file: string;
  readonly line?: number | undefined;
  /** Keys joined by dots. */
  readonly path: string;
  readonly value?: unknown;
  readonly message: string;
  /** What may stand there, in words. */
  readonly accepted?: string | undefined;
}

/** What a check gives: the config with every default filled in, or what is wrong. */
export interface CheckedConfig {
  readonly config?: TrainConfig;
  readonly problems: readonly ConfigProblem[];
}

/** `file:line: path: message` */
export const problemText = ({ file, line, path, message }: ConfigProblem): string =>
  `${file}${line === undefined ? "" : `:${line}`}: ${path || "config"}: ${message}`;

/** Reads a config and gives it, or all that is wrong with it. Throws EmosllmError `usage` for an override that is none. */
export async function checkTrainConfig(
  file: string,
  overrides: readonly string[] = [],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<CheckedConfig> {
  const placed = await readConfigFiles(file, overrides, environment);
  if (placed.problems.length > 0) return { problems: placed.problems };
  const parsed = trainConfigSchema.safeParse(placed.value);
  if (!parsed.success) return { problems: parsed.error.issues.flatMap((issue) => issueProblems(issue, placed)) };
  const wrong = [...crossChecks(parsed.data), ...(await nameProblems(parsed.data))];
  // These messages say themselves what is accepted.
  const problems = wrong.map(([path, message]) => ({
    ...problemAt(placed, path.split("."), message),
    accepted: undefined,
  }));
  return problems.length > 0 ? { problems } : { config: parsed.data, problems };
}

/** Reads a config file and applies `key=value` overrides (`lora.r=16`). Throws EmosllmError `config_invalid` listing every problem with file, line and what is accepted. */
export async function readTrainConfig(file: string, overrides: readonly string[] = []): Promise<TrainConfig> {
  const { config, problems } = await checkTrainConfig(file, overrides);
  if (config) return config;
  throw new EmosllmError("config_invalid", problems.map(problemText).join("\n"), { details: { problems } });
}

type JsonSchema = {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
};

let schemaAsJson: JsonSchema | undefined;
/** The schema's node at a path, as far as it is known. */
function schemaAt(path: readonly (string | number)[]): JsonSchema | undefined {
  schemaAsJson ??= z.toJSONSchema(trainConfigSchema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  let node: JsonSchema | undefined = schemaAsJson;
  for (const key of path) node = typeof key === "number" ? node?.items : node?.properties?.[key];
  return node;
}

/** What a schema's node takes, in words. */
function acceptedAt(node: JsonSchema | undefined): string | undefined {
  if (!node) return undefined;
  if (node.enum) return `one of ${node.enum.join(", ")}`;
  if (node.const !== undefined) return String(node.const);
  if (node.anyOf) return node.anyOf.map((n) => acceptedAt(n) ?? "anything").join("; or ");
  if (node.properties) return `keys ${Object.keys(node.properties).join(", ")}`;
  if (node.type === "number" || node.type === "integer") {
    const far = Number.MAX_SAFE_INTEGER;
    const bounds = [
      node.minimum !== undefined && node.minimum > -far ? `at least ${node.minimum}` : "",
      node.exclusiveMinimum === undefined ? "" : `above ${node.exclusiveMinimum}`,
      node.maximum !== undefined && node.maximum < far ? `at most ${node.maximum}` : "",
      node.exclusiveMaximum === undefined ? "" : `below ${node.exclusiveMaximum}`,
    ].filter((b) => b !== "");
    return [`a ${node.type === "integer" ? "whole number" : "number"}`, ...bounds].join(", ");
  }
  if (node.type === "array") return `a list of ${acceptedAt(node.items) ?? "anything"}`;
  return { string: "text", boolean: "true or false", object: "a mapping", null: "null" }[node.type ?? ""];
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

function problemAt(placed: PlacedConfig, path: readonly (string | number)[], message: string): ConfigProblem {
  const value = path.reduce<unknown>(
    (v, key) => (v as Record<string | number, unknown> | undefined)?.[key],
    placed.value,
  );
  return { ...placeOf(placed, path), path: path.join("."), value, message, accepted: acceptedAt(schemaAt(path)) };
}

function issueProblems(issue: z.core.$ZodIssue, placed: PlacedConfig): ConfigProblem[] {
  const path = issue.path as (string | number)[];
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(schemaAt(path)?.properties ?? {});
    return issue.keys.map((key) => {
      const near = nearestName(key, known);
      return {
        ...problemAt(placed, [...path, key], ""),
        message: near === undefined ? `is no key here` : `is no key here; did you mean ${[...path, near].join(".")}?`,
        accepted: `one of ${known.join(", ")}`,
      };
    });
  }
  const problem = problemAt(placed, path, issue.message);
  const { value, accepted } = problem;
  if (value === undefined) return [{ ...problem, message: `is missing; accepted: ${accepted ?? "a value"}` }];
  const near =
    issue.code === "invalid_value" && typeof value === "string"
      ? nearestName(value, issue.values.map(String))
      : undefined;
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  // A message of the schema's own says more than its type does.
  const own = issue.code === "invalid_format" || issue.code === "custom";
  if (own || accepted === undefined)
    return [{ ...problem, message: `${issue.message}, not ${shown(value)}`, accepted: undefined }];
  return [{ ...problem, message: `${shown(value)}; accepted: ${accepted}${hint}` }];
}

/** What a schema of single keys cannot say: path and message. */
function crossChecks(config: TrainConfig): [string, string][] {
  const problems: [string, string][] = [];
  if (config.focal_gamma > 0 && config.emotion_loss !== "scored")
    problems.push([
      "focal_gamma",
      `${config.focal_gamma} needs emotion_loss: scored (the focal factor is a function of the label's probability among the labels)`,
    ]);
  if (config.encoder_lora && config.encoder_name_or_path === undefined)
    problems.push(["encoder_lora", "needs encoder_name_or_path: there is no speech encoder to put an adapter on"]);
  if (config.encoder_lora && config.encoder_precision !== "f32")
    problems.push([
      "encoder_precision",
      `${config.encoder_precision} with encoder_lora: an encoder that trains is held in f32`,
    ]);
  if (config.augment.share > 0 && config.augment.corruptions.length === 0)
    problems.push(["augment.corruptions", `is empty, but augment.share is ${config.augment.share}`]);
  const { min_lr: least, min_lr_rate: rate } = config.lr_scheduler_kwargs;
  if (least !== undefined && rate !== undefined)
    problems.push(["lr_scheduler_kwargs", "min_lr and min_lr_rate are both given; give one"]);
  if (least !== undefined && least > config.learning_rate)
    problems.push(["lr_scheduler_kwargs.min_lr", `${least} is above learning_rate ${config.learning_rate}`]);
  const stages = config.stages ?? [config];
  stages.forEach((stage, i) => {
    const at = config.stages ? `stages.${i}.` : "";
    const { freeze_projector: p = config.freeze_projector, freeze_adapter: a = config.freeze_adapter } = stage;
    if (p && a) problems.push([`${at}freeze_adapter`, "projector and adapter are both frozen: nothing is trained"]);
    const tasks = stage.tasks ?? config.tasks;
    if (!Object.values(tasks).some((w) => w > 0)) problems.push([`${at}tasks`, "no task has a weight above 0"]);
  });
  const names = (config.stages ?? []).map((s) => s.name);
  names.forEach((name, i) => {
    if (names.indexOf(name) !== i) problems.push([`stages.${i}.name`, `'${name}' is the name of an earlier stage`]);
  });
  return problems;
}
