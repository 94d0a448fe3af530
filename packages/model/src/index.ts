export {
  buildGraph,
  PROJECTOR_PREFIX,
  trainedShapes,
  weightedLoss,
  type EmoSllmGraph,
  type EmoSllmParts,
} from "./assemble.ts";
export {
  commonPrefix,
  layOutBatch,
  type BatchOptions,
  type BatchRow,
  type Frames,
  type LaidOutBatch,
} from "./batch.ts";
export { openScorer, type AnswerScores, type Scorer } from "./scorer.ts";
export { formKey, stepInputs, type AudioInputs, type BatchForm, type StepInputs } from "./step-inputs.ts";
export {
  fingerprint,
  loadBundle,
  saveBundle,
  type BundleContents,
  type LoadBundleOptions,
  type LoadedBundle,
} from "./bundle.ts";
export {
  loadEmoSllm,
  promptRow,
  SHORTEST_SECONDS,
  type EmoSllm,
  type EmotionAnswer,
  type EmotionInput,
  type LoadEmoSllmOptions,
} from "./emosllm.ts";
export { encoderFrontEnd, type EncoderChoice, type EncoderOptions } from "./encoder.ts";
export { normalisedFrames, openFrontEnd, type FrontEnd, type FrontEndSettings, type RawFrames } from "./front-end.ts";
export { answerProbabilities } from "./probabilities.ts";
export { emotionTimeline, type EmotionTimelineOptions } from "./timeline.ts";
export {
  createTimeline,
  type JudgedWindow,
  type Timeline,
  type TimelineOptions,
  type TimelineSegment,
} from "./timeline-segments.ts";
export {
  createSpeechWindows,
  type SpeechWindow,
  type SpeechWindowOptions,
  type SpeechWindows,
} from "./timeline-windows.ts";
export { measureClip, voiceDescriber, type VoiceManifest } from "./voice.ts";
