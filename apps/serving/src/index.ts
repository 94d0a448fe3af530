export { ServiceError, SERVICE_ERRORS, type ErrorBody, type ServiceErrorCode } from "./errors.ts";
export { listen, type ListenOptions, type Listening } from "./http/listen.ts";
export { tracesFromEnv, type TraceOptions } from "./observe/traces.ts";
export type { RequestLimits, ServerEvent, ServerOptions } from "./options.ts";
export type { BundleSpec, ModelInfo } from "./pool/tasks.ts";
export type { EmotionOptions, EmotionResult, Segment } from "./schemas.ts";
export { apiKey, hashKey, parseKeyFile, type ApiKey } from "./security/keys.ts";
export { createServer, VERSION, type Server } from "./server.ts";
