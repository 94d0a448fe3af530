export {
  bundleManifestSchema,
  encoderManifestSchema,
  frontEndSchema,
  type BundleManifest,
  type EncoderManifest,
  type FrontEndManifest,
} from "./bundle.ts";
export { EmosllmError, ERROR_CODES, type ErrorCode } from "./errors.ts";
export { predictionSchema, type Prediction } from "./prediction.ts";
export { emotionSchemeSchema, type EmotionScheme } from "./scheme.ts";
export {
  audioClipSchema,
  channelChoiceSchema,
  corpusProblemSchema,
  genderSchema,
  softLabelSchema,
  utteranceSchema,
  type AudioClip,
  type ChannelChoice,
  type CorpusProblem,
  type Gender,
  type SoftLabel,
  type Utterance,
} from "./utterance.ts";
