/** @file What training does where nobody says otherwise, for those who train and those who predict what it takes. */
import type { Precision } from "@emosllm/backbones";
import type { PackedBlock } from "@emosllm/checkpoints";
import type { GradientCheckpointing } from "./assemble.ts";

/** Whether weights are kept in the layout of the products: unless layers are computed twice to save memory. */
export const prepacksByDefault = (gradientCheckpointing: GradientCheckpointing | undefined): boolean =>
  !gradientCheckpointing;

/** Training runs many tokens at once, for which int8 with one scale a row is fastest; other precisions as their packing has it. */
export const defaultTrainingBlock = (precision: Precision | undefined): PackedBlock | undefined =>
  precision === "int8" ? "row" : undefined;
