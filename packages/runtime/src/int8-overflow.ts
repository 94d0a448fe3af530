/**
 * @file Whether this processor adds pairs of u8 x i8 products in 16 bits, as x64 without VNNI does, where large ones overflow. onnxruntime
 * then has to multiply u8 x u8, four times as slow as AMX where there is no need: weights are packed unsigned there, and for ones that are not it is
 * told to convert them (`session.x64quantprecision`: a copy in memory, and it fails on weights that two products share).
 */
import "./no-telemetry.ts";
import { constant, matMulInt8 } from "@emosllm/graph";
import * as ort from "onnxruntime-node";
import { lower } from "./lower.ts";
import { mappedFiles } from "./mapped-files.ts";

const SIZE = 16;
let known: Promise<boolean> | undefined;

/** Asks the processor, once: 255 times 127 added up. */
export const int8Overflows = (): Promise<boolean> => (known ??= ask());

async function ask(): Promise<boolean> {
  const ones = constant(new Float32Array(SIZE).fill(1), [1, SIZE]);
  const data = constant(new Int8Array(SIZE * SIZE).fill(127), [SIZE, SIZE]);
  const y = matMulInt8(ones, { data, scales: constant(new Float32Array(SIZE).fill(1), [SIZE]), n: SIZE, k: SIZE });
  const { bytes } = lower({ y }, () => undefined, mappedFiles());
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  const { "out:y": result } = await session.run({});
  await session.release();
  const sum = result ? Number(result.data[0]) : NaN;
  return Math.abs(sum - SIZE * 127) > 1;
}
