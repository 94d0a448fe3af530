export type { NormOver } from "./language/architecture.ts";
export { cachedGraph, type CachedGraphOptions } from "./language/cached-graph.ts";
export { cachedLayout, EMPTY_SLOT, type CachedLayout } from "./language/cached-layout.ts";
export { parseModelConfig, type ModelConfig } from "./language/config.ts";
export {
  languageModel,
  languageModelOver,
  openLanguageModel,
  plannedPrecision,
  type LanguageModel,
  type LayersOptions,
  type ModelFunctions,
  type OpenLanguageModelOptions,
  type Replaced,
} from "./language/language-model.ts";
export {
  causalLayout,
  type AttentionSpec,
  type Branches,
  type Asked,
  type CausalLayoutSizes,
  type Packing,
  type TokenLayout,
} from "./language/layout.ts";
export { ropeSwitch } from "./language/longrope.ts";
export { ropeFrequencies, type RopeParameters } from "./language/rope.ts";
export { frozen, linearOver, type Linear, type TensorTable } from "./linear.ts";
export {
  BACKWARDS,
  PRECISIONS,
  blockForManyTokens,
  type Backward,
  type PackedLinears,
  type Precision,
  type PrecisionOptions,
} from "./precision.ts";
export {
  lengthBuckets,
  type PreparedClip,
  type PreparedInputs,
  type SpeechEncoder,
  type SpeechEncoderConfig,
  type SpeechStates,
} from "./speech/encoder.ts";
export {
  frameEncoder,
  type EncodedFrames,
  type FrameEncoder,
  type FrameEncoderOptions,
} from "./speech/frame-encoder.ts";
export { resolveLayers, type FrameForm, type FrameFormOptions, type LayerChoice } from "./speech/frame-form.ts";
export { encoderFingerprint, openFrameEncoder, type OpenedFrameEncoder } from "./speech/open-frame-encoder.ts";
export { ONNX_DTYPES, openOnnxEncoder, type OnnxDtype, type OnnxEncoderOptions } from "./speech/onnx-encoder.ts";
export { openSpeechEncoder, speechEncoder, type OpenSpeechEncoderOptions } from "./speech/speech-encoder.ts";
export { weightedLayerSum } from "./speech/weighted-sum.ts";
