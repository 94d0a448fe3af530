export { encoderBase, ENCODER_PREFIX, overEncoder, type AdaptedEncoder } from "./adapted-encoder.ts";
export {
  buildGraph,
  PROJECTOR_PREFIX,
  trainedShapes,
  weightedLoss,
  weightsOf,
  type EmoSllmGraph,
  type EmoSllmParts,
  type GradientCheckpointing,
  type GraphOptions,
} from "./assemble.ts";
export {
  commonPrefix,
  layOutBatch,
  type BatchOptions,
  type BatchRow,
  type Frames,
  type LaidOutBatch,
} from "./batch.ts";
export { CARD_MARKS, mergeCard } from "./card.ts";
export { openScorer, type AnswerScores, type Scorer } from "./scorer.ts";
export { formKey, stepInputs, type AudioInputs, type BatchForm, type StepInputs } from "./step-inputs.ts";
export {
  checkBundleFiles,
  fingerprint,
  loadBundle,
  saveBundle,
  type BundleContents,
  type LoadBundleOptions,
  type LoadedBundle,
} from "./bundle.ts";
export {
  EmoSLLM,
  loadEmoSllm,
  promptRow,
  type EmoSllm,
  type EmotionAnswer,
  type EmotionInput,
  type LoadEmoSllmOptions,
  type LossInput,
} from "./emosllm.ts";
export { adaptableEncoder, encoderFrontEnd, type EncoderChoice, type EncoderOptions } from "./encoder.ts";
export { normalisedFrames, openFrontEnd, type FrontEnd, type FrontEndSettings, type RawFrames } from "./front-end.ts";
export { SHORTEST_SECONDS, type Sound } from "./hear.ts";
export { openModelEngine, type ModelEngine } from "./model-engine.ts";
export {
  pipeline,
  PIPELINE_TASKS,
  type AudioEmotionOptions,
  type AudioEmotionPipeline,
  type LabelScore,
  type PipelineOptions,
  type PipelineProgress,
  type PipelineTask,
} from "./pipeline.ts";
export { WRITING_TASKS, type WritingInput, type WritingOptions, type WritingTask } from "./write.ts";
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
export { prepacksByDefault } from "./training-defaults.ts";
export {
  predictTrainingStep,
  sizesOf,
  type BatchSizes,
  type StepPrediction,
  type TrainingMemory,
  type TrainingStepOptions,
} from "./training-step.ts";
