/** @file `class_weights`: what each label's answers count for in the loss. */
import { classWeights } from "@emosllm/datasets";
import { EmosllmError } from "@emosllm/interfaces";
import type { TrainConfig } from "./config.ts";
import type { RunData } from "./data.ts";

/** Weights in the scheme's order, from the training part's counts. Throws EmosllmError `config_invalid` for a label that the scheme lacks. */
export function labelWeights(
  { class_weights: kind }: TrainConfig,
  { scheme, train }: RunData,
): readonly number[] | undefined {
  if (kind === "none") return undefined;
  if (typeof kind === "object") {
    const unknown = Object.keys(kind).filter((label) => !scheme.labels.includes(label));
    if (unknown.length > 0)
      throw new EmosllmError(
        "config_invalid",
        `class_weights: ${unknown.join(", ")} is no label of scheme '${scheme.name}' (${scheme.labels.join(", ")})`,
      );
    return scheme.labels.map((label) => kind[label] ?? 1);
  }
  const counts = Object.fromEntries(scheme.labels.map((l) => [l, train.filter((s) => s.label === l).length]));
  const there = Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
  const weights = classWeights(there, { kind });
  return scheme.labels.map((label) => weights[label] ?? 1);
}
