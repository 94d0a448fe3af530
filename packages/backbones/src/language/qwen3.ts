/** @file Qwen3 (Yang et al. 2025; transformers' modeling_qwen3): Qwen2 without biases, each head of q and k normed before it is turned. */
import type { Architecture } from "./architecture.ts";
import { projectionsWithHeadNorms } from "./decoder.ts";
import { qwen2 } from "./qwen2.ts";

export const qwen3: Architecture = { ...qwen2, project: projectionsWithHeadNorms };
