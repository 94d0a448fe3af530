export {
  loraAdapter,
  type AdapterLayout,
  type ApplyOptions,
  type LoraAdapter,
  type LoraAdapterOptions,
  type Parameter,
} from "./adapter.ts";
export type { AdaptableModel } from "./adapted-model.ts";
export type { LoraBase } from "./base.ts";
export { loraConfig, loraConfigText, LORA_DEFAULTS, readLoraConfig, type LoraConfig } from "./config.ts";
export { exportAdapter } from "./export.ts";
export { firstValues } from "./first-values.ts";
export { loadAdapter, type AdapterReport, type LoadAdapterOptions, type LoadedAdapter } from "./load.ts";
export {
  beginsWithBase,
  initialFactors,
  type InitialFactor,
  type InitialFactorOptions,
  type InitialFactors,
} from "./initial-factors.ts";
export { loraPlusRateFactor } from "./lora-plus.ts";
export { mergeAdapter, type MergeDType, type MergeOptions, type MergeResult } from "./merge.ts";
export { loraNames, namesOf, type LoraNames } from "./names.ts";
export { adaptPerRow, applyPerRow, type Choice, type ParameterOf } from "./per-row.ts";
export { plainConfig, plainLora, trainedHalf, type PlainLora } from "./plain.ts";
export { saveAdapter, type AdapterContents, type AdapterDType, type SaveAdapterOptions } from "./save.ts";
export { loraTargets, matchTargets, type LoraTarget, type MatchedTargets } from "./targets.ts";
