/** @file Mistral (Jiang et al. 2023; transformers' modeling_mistral): Llama, each layer seeing a window where `sliding_window` is set. */
import type { Architecture } from "./architecture.ts";
import { optionalNumber } from "./config.ts";

export const mistral: Architecture = {
  attention: ({ raw }) => ({ window: optionalNumber(raw, "sliding_window") }),
};
