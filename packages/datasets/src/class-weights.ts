/** @file Weights of classes for a loss or a sampler. */
import { EmosllmError } from "@emosllm/interfaces";

/** How rare classes are lifted. `effective` is Cui et al. 2019, (1 - beta) / (1 - beta^n). */
export type ClassWeightKind = "balanced" | "sqrt" | "effective" | "none";

export interface ClassWeightOptions {
  kind?: ClassWeightKind;
  /** For `effective`. Default 0.999. */
  beta?: number;
}

/**
 * A weight per label. `balanced` is n / (classes x count), as scikit-learn's; `sqrt` its square root; all but `balanced` are
 * scaled so that the mean weight over the examples is 1 (for `balanced` it already is).
 * @throws EmosllmError `config_invalid` without counts or for a count that is not positive.
 */
export function classWeights(
  counts: Readonly<Record<string, number>>,
  options: ClassWeightOptions = {},
): Record<string, number> {
  const { kind = "balanced", beta = 0.999 } = options;
  const entries = Object.entries(counts);
  const total = entries.reduce((sum, [, n]) => sum + n, 0);
  const bad = entries.find(([, n]) => !(n > 0 && Number.isFinite(n)));
  if (entries.length === 0 || bad)
    throw new EmosllmError(
      "config_invalid",
      bad ? `class weights: label ${bad[0]} has count ${bad[1]}, must be positive` : "class weights: no counts",
    );
  const balanced = (n: number): number => total / (entries.length * n);
  const raw: Readonly<Record<ClassWeightKind, (n: number) => number>> = {
    balanced,
    sqrt: (n) => Math.sqrt(balanced(n)),
    effective: (n) => (1 - beta) / (1 - beta ** n),
    none: () => 1,
  };
  const weights = entries.map(([label, n]) => [label, raw[kind](n), n] as const);
  const mean = weights.reduce((sum, [, w, n]) => sum + w * n, 0) / total;
  return Object.fromEntries(weights.map(([label, w]) => [label, w / mean]));
}
