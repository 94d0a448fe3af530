export {
  buildGraph,
  PROJECTOR_PREFIX,
  trainedShapes,
  type EmoSllmGraph,
  type EmoSllmParts,
  type GraphOptions,
} from "./assemble.ts";
export { commonPrefix, layOutBatch, type BatchOptions, type BatchRow, type LaidOutBatch } from "./batch.ts";
export { stepInputs, type StepInputs } from "./step-inputs.ts";
