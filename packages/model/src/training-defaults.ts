/** @file What training does where nobody says otherwise, for those who train and those who predict what it takes. */
import type { GradientCheckpointing } from "./assemble.ts";

/** Whether weights are kept in the layout of the products: unless layers are computed twice to save memory. */
export const prepacksByDefault = (gradientCheckpointing: GradientCheckpointing | undefined): boolean =>
  !gradientCheckpointing;
