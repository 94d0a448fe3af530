/** @file What programs use of the trainer: reading a config, running it, drawing its events. The `emosllm` command is `cli.ts`. */
export { runCli } from "./cli.ts";
export { progressWriter, type ProgressOptions } from "./progress.ts";
export { writeReportPage, writeRunReport } from "./report-page.ts";
export { type TrainConfig, trainConfigSchema } from "./training/config.ts";
export type { OnTrainEvent, TrainEvent } from "./training/events.ts";
export { metricsOf } from "./training/output.ts";
export { checkTrainConfig, type CheckedConfig, type ConfigProblem, readTrainConfig } from "./training/read-config.ts";
export { runTraining, type RunOptions, type RunResult } from "./training/run.ts";
export { writeWhole } from "./write-whole.ts";
