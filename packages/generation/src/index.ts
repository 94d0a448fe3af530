export { type CacheShape, cacheBytes, type KvCache } from "./cache.ts";
export { draw, likeliest, logprobsOf, randomStream, type Random, type TokenLogprob } from "./choose.ts";
export {
  openEngine,
  type Engine,
  type EngineOptions,
  type Prefilled,
  type PassOptions,
  type ScoredRow,
  type SharedPrompt,
} from "./engine.ts";
export type { Parameters, RowInputs } from "./pass.ts";
export { tokensOf, type PromptPart, type Token } from "./tokens.ts";
export {
  collectGenerated,
  generate,
  type FinishReason,
  type Generated,
  type GenerationEvent,
  type GenerationSetting,
} from "./generate.ts";
export {
  applyTemperature,
  forbid,
  keepTopK,
  keepTopP,
  logSumExp,
  penaliseRepetition,
  processLogits,
  type RowState,
} from "./logits.ts";
export { readGenerationConfig, resolveOptions, type GenerationOptions, type ResolvedOptions } from "./options.ts";
export { textStream, type Decode, type TextStep, type TextStream } from "./text.ts";
