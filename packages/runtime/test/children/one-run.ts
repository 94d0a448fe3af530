/** @file One program, run once through this package. */
import { input, neg } from "@emosllm/graph";
import { evaluate, f32 } from "../../src/index.ts";

const { y } = await evaluate({ y: neg(input("x", [2])) }, { x: f32([1, 2], [2]) });
console.log([...(y as { data: Float32Array }).data].join());
