/** @file A bundle as a model process holds it. */
import type { EmoSllm } from "@emosllm/model";
import type { ModelInfo } from "./tasks.ts";

/** A loaded bundle with what is told about it. */
export interface LoadedModel {
  readonly info: ModelInfo;
  readonly emosllm: EmoSllm;
}
