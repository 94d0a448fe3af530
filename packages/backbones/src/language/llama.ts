/** @file Llama (Touvron et al. 2023; transformers' modeling_llama): the decoder that the others differ from. */
import type { Architecture } from "./architecture.ts";

export const llama: Architecture = {};
