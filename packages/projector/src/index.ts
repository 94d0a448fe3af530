export type { Initializer, ParameterShapes, Projector } from "./projector.ts";
export { qpMapper, qpMapperConfig, type QpMapperConfig } from "./qp-mapper.ts";
