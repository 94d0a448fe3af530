/** @file What a checkpoint knows beside its weights, as `trainer_state.json`; names as transformers' where it has them. */
import { EmosllmError } from "@emosllm/interfaces";
import type { OrderState, StreamStates } from "@emosllm/training";
import type { TrainConfig } from "./config.ts";
import type { BadAudio } from "./frames.ts";

/** A line of `log.jsonl`: a step and figures. Nothing in it depends on the clock, so a resumed run writes the same lines. */
export type LogEntry = Readonly<Record<string, number | string>> & { readonly step: number };

/** Where a run stands. */
export interface TrainerState {
  readonly format: 1;
  readonly global_step: number;
  readonly max_steps: number;
  readonly epoch: number;
  /** The stage that comes next or goes on; the number of stages when all are done. */
  readonly stage: number;
  readonly stage_step: number;
  readonly best_metric: number | null;
  readonly best_global_step: number | null;
  readonly evaluations_without_gain: number;
  readonly log_history: readonly LogEntry[];
  /** Loss since the last line of the log. */
  readonly pending: { readonly loss: number; readonly steps: number };
  readonly streams: StreamStates;
  readonly orders: Readonly<Record<string, OrderState>>;
  readonly bad_audio: readonly BadAudio[];
  readonly train_seconds: number;
  /** Sums are split among threads, so another number gives other last bits. */
  readonly threads: number;
  readonly config: TrainConfig;
  /** What the run was made of: hashes of the split, the base model, the prompts. */
  readonly made_of: Readonly<Record<string, string>>;
}

/** Keys that may change between two sittings of one run: they change no weight and no line of the log. */
const FREE =
  /^(output_dir|overwrite_output_dir|save_steps|save_total_limit|report_to|max_bad_share|prepack_weights)(\.|$)/;

const flatten = (value: unknown, path = ""): [string, string][] =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, v]) => flatten(v, path === "" ? key : `${path}.${key}`))
    : [[path, JSON.stringify(value) ?? "nothing"]];

/** Keys with other values, as `key: saved -> now`. */
export function differingKeys(saved: TrainConfig, now: TrainConfig): string[] {
  const [a, b] = [new Map(flatten(saved)), new Map(flatten(now))];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => !FREE.test(key) && a.get(key) !== b.get(key))
    .map((key) => `${key}: ${a.get(key) ?? "nothing"} there, ${b.get(key) ?? "nothing"} now`);
}

/** Throws EmosllmError `config_invalid` naming the keys that differ. */
export function checkSameConfig(saved: TrainConfig, now: TrainConfig, where: string): void {
  const keys = differingKeys(saved, now);
  if (keys.length > 0)
    throw new EmosllmError(
      "config_invalid",
      `${where} was made with another config:\n${keys.map((k) => `  ${k}`).join("\n")}\nGo on with the config it was made with, give another output_dir, or begin anew with overwrite_output_dir=true`,
      { details: { keys } },
    );
}

/** Throws EmosllmError `config_invalid` when data, base model or prompts are no longer those of the run. */
export function checkMadeOf(saved: TrainerState["made_of"], now: TrainerState["made_of"], where: string): void {
  const changed = Object.keys(now).filter((key) => saved[key] !== now[key]);
  if (changed.length > 0)
    throw new EmosllmError(
      "config_invalid",
      `${where} was made from other ${changed.join(" and ")}: ${changed.map((k) => `${k} ${saved[k]?.slice(0, 12)} there, ${now[k]?.slice(0, 12)} now`).join("; ")}. Restore them, or begin anew with overwrite_output_dir=true`,
    );
}
