/** @file `projector_config.json`: the table of kinds, each with its keys; reading, checking and building any of them. */
import { EmosllmError } from "@emosllm/interfaces";
import { CONCAT_MLP_FIELDS, type ConcatMlpConfig, buildConcatMlp } from "./concat-mlp.ts";
import { CONV_FIELDS, type ConvConfig, buildConv } from "./conv.ts";
import { type Accepted, COUNT, type Fields } from "./fields.ts";
import { overLayers } from "./layer-sum.ts";
import { POOLED_LINEAR_FIELDS, type PooledLinearConfig, buildPooledLinear } from "./pooled-linear.ts";
import type { Projector } from "./projector.ts";
import {
  Q_FORMER_FIELDS,
  type QFormerConfig,
  WINDOW_Q_FORMER_FIELDS,
  type WindowQFormerConfig,
  buildQFormer,
  buildWindowQFormer,
} from "./q-former.ts";
import { QP_MAPPER_FIELDS, type QpMapperConfig, buildQpMapper } from "./qp-mapper.ts";

/** What every kind has: the widths on both sides. */
export interface ProjectorSizes {
  /** Features of a frame, of one layer. */
  readonly input_size: number;
  /** Layers of the encoder that a frame holds one after the other, summed with learned weights; 1: none to sum. */
  readonly num_layers_in: number;
  /** Width of the language model. */
  readonly output_size: number;
}

/** `projector_config.json` of any kind. */
export type ProjectorConfig =
  | QpMapperConfig
  | QFormerConfig
  | WindowQFormerConfig
  | ConcatMlpConfig
  | ConvConfig
  | PooledLinearConfig;
/** The name of a kind. */
export type ProjectorType = ProjectorConfig["type"];
type ConfigOf<K extends ProjectorType> = Extract<ProjectorConfig, { readonly type: K }>;

interface Kind<K extends ProjectorType> {
  readonly fields: Fields<ConfigOf<K>>;
  readonly build: (config: ConfigOf<K>) => Projector;
}
const KINDS: { readonly [K in ProjectorType]: Kind<K> } = {
  qp_mapper: { fields: QP_MAPPER_FIELDS, build: buildQpMapper },
  q_former: { fields: Q_FORMER_FIELDS, build: buildQFormer },
  window_q_former: { fields: WINDOW_Q_FORMER_FIELDS, build: buildWindowQFormer },
  concat_mlp: { fields: CONCAT_MLP_FIELDS, build: buildConcatMlp },
  conv: { fields: CONV_FIELDS, build: buildConv },
  pooled_linear: { fields: POOLED_LINEAR_FIELDS, build: buildPooledLinear },
};

/** Every kind there is. */
export const PROJECTOR_TYPES: readonly ProjectorType[] = Object.keys(KINDS) as ProjectorType[];

const fieldsOf = (type: ProjectorType): Readonly<Record<string, readonly [unknown, Accepted]>> => ({
  num_layers_in: [1, COUNT],
  ...KINDS[type].fields,
});

/** What is wrong with the keys that a user chooses (all but the widths), by key. Nothing: they can be used. */
export function projectorProblems(
  options: Readonly<Record<string, unknown>>,
): readonly { readonly key: string; readonly message: string }[] {
  const type = options["type"] ?? "qp_mapper";
  if (!(PROJECTOR_TYPES as readonly unknown[]).includes(type))
    return [{ key: "type", message: `${JSON.stringify(type)} is not one of ${PROJECTOR_TYPES.join(", ")}` }];
  const fields = fieldsOf(type as ProjectorType);
  return Object.entries(options).flatMap(([key, value]) => {
    if (key === "type" || value === undefined) return [];
    const field = fields[key];
    if (!field) return [{ key, message: `unknown key of a ${String(type)}; it has ${Object.keys(fields).join(", ")}` }];
    return field[1].check(value) ? [] : [{ key, message: `${JSON.stringify(value)}, accepted: ${field[1].text}` }];
  });
}

/**
 * Checks the fields of a config and fills in the defaults of its kind. `place` opens the message. Throws EmosllmError
 * `config_invalid` naming every field that is unknown, missing or wrong, and what is accepted.
 */
export function projectorConfig(
  fields: Readonly<Record<string, unknown>>,
  place = "projector_config.json",
): ProjectorConfig {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields))
    throw new EmosllmError("config_invalid", `${place} is no object of keys`);
  const { input_size, output_size, ...options } = fields;
  const widths: Readonly<Record<string, unknown>> = { input_size, output_size };
  const problems = [
    ...Object.entries(widths).flatMap(([key, width]) =>
      COUNT.check(width) ? [] : [`${key}: ${JSON.stringify(width) ?? "missing"}, accepted: ${COUNT.text}`],
    ),
    ...projectorProblems(options).map(({ key, message }) => `${key}: ${message}`),
  ];
  if (problems.length > 0) throw new EmosllmError("config_invalid", `${place}: ${problems.join("; ")}`);
  const type = (options["type"] ?? "qp_mapper") as ProjectorType;
  const chosen = Object.entries(fieldsOf(type)).map(([key, [usual]]) => [key, options[key] ?? usual] as const);
  return { type, ...widths, ...Object.fromEntries(chosen) } as unknown as ProjectorConfig;
}

/** Builds a projector of any kind. Throws EmosllmError `config_invalid` naming what does not go together. */
export function makeProjector<K extends ProjectorType>(config: ConfigOf<K>): Projector {
  const kind = KINDS[config.type as K];
  if (!kind)
    throw new EmosllmError(
      "config_invalid",
      `projector: type ${JSON.stringify(config.type)} is not one of ${PROJECTOR_TYPES.join(", ")}`,
    );
  return overLayers(kind.build(config), config.num_layers_in ?? 1);
}

/** The paper's QPMapper for a given input and output width. */
export const qpMapperConfig = (
  input_size: number,
  output_size: number,
  options: Partial<Omit<QpMapperConfig, "type" | "input_size" | "output_size">> = {},
): QpMapperConfig => projectorConfig({ type: "qp_mapper", input_size, output_size, ...options }) as QpMapperConfig;

/** A QPMapper; the same as {@link makeProjector}. */
export const qpMapper = (config: QpMapperConfig): Projector => makeProjector<"qp_mapper">(config);
