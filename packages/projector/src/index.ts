export type { ConcatMlpConfig } from "./concat-mlp.ts";
export {
  makeProjector,
  projectorConfig,
  projectorProblems,
  PROJECTOR_TYPES,
  qpMapper,
  qpMapperConfig,
  type ProjectorConfig,
  type ProjectorSizes,
  type ProjectorType,
} from "./config.ts";
export type { ConvConfig } from "./conv.ts";
export { LAYER_WEIGHTS } from "./layer-sum.ts";
export type { PooledLinearConfig } from "./pooled-linear.ts";
export type { FramePacking, Initializer, Parameter, ParameterShapes, Projector } from "./projector.ts";
export { windowFrames, type QFormerConfig, type WindowQFormerConfig } from "./q-former.ts";
export type { QpMapperConfig } from "./qp-mapper.ts";
