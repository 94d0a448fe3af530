export { agree, oneProcess, type Collective } from "./collectives/collective.ts";
export { launchOf, type Launch } from "./collectives/launcher.ts";
export { MPI_LIBRARY, openCollective } from "./collectives/mpi.ts";
export {
  adamW,
  addDecayedWeights,
  clipByGlobalNorm,
  globalNorm,
  scaleByAdam,
  scaleByLearningRate,
  type AdamOptions,
  type AdamWOptions,
} from "./optimisers.ts";
export { tensorStore, type TensorStore } from "./parameters.ts";
export {
  constantRate,
  schedule,
  SCHEDULER_TYPES,
  type Schedule,
  type ScheduleOptions,
  type SchedulerType,
} from "./schedules.ts";
export { openTrainer, type LossGraph, type MicroStep, type Trainer, type TrainerOptions } from "./step.ts";
export {
  openEmoSllmTrainer,
  type EmoSllmTrainer,
  type EmoSllmTrainerOptions,
  type TrainingBatch,
} from "./emosllm-trainer.ts";
export {
  answerTargets,
  answerWeights,
  rowWeight,
  scoredFeeds,
  scoredLoss,
  tokenWeight,
  type AnswerTargets,
  type LabelPlace,
  type TargetOptions,
} from "./answer-loss.ts";
export { averagedValues, averageParameters } from "./averaging.ts";
export {
  chain,
  mapTensors,
  type Arrays,
  type GradientTransformation,
  type HostUpdate,
  type HostUpdateInputs,
  type StateShapes,
  type Tensors,
  type TransformStep,
} from "./transform.ts";
export { initialise } from "./initialise.ts";
export { normal, randomStream, shuffle, type RandomStream } from "./random.ts";
export { streamSet, type StreamSet, type StreamStates } from "./stream-set.ts";
export {
  shuffledOrder,
  type LengthGroups,
  type OrderOptions,
  type OrderState,
  type SampleOrder,
} from "./sample-order.ts";
export { withinTokens } from "./token-budget.ts";
export { crc32c, openEventFile, type EventFile } from "./event-file.ts";
export type { LossScaling } from "./loss-scale.ts";
