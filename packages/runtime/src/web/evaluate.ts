/** @file {@link Evaluate} on a page's devices. */
import { type Evaluate, evaluateBy } from "../evaluate-by.ts";
import { compile } from "./program.ts";

/** The values of `outputs` for `feeds`: compiles, runs once, releases. */
export const evaluate: Evaluate = evaluateBy(compile);
