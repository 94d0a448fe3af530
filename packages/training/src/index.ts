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
export { openEmoSllmTrainer, type EmoSllmTrainer, type EmoSllmTrainerOptions } from "./emosllm-trainer.ts";
export {
  chain,
  mapTensors,
  type GradientTransformation,
  type StateShapes,
  type Tensors,
  type TransformStep,
} from "./transform.ts";
export { initialise } from "./initialise.ts";
export { normal, randomStream, shuffle, type RandomStream } from "./random.ts";
