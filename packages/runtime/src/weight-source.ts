/** @file Where the bytes of a frozen weight are, and whether they fit the graph. */
import { type Tensor, describeType, dimEvaluate } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { bytesPerElement, elements } from "./host-tensor.ts";

/** A range of a file. */
export interface FileSource {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Where the bytes of a frozen weight are: a range of a file (stays memory-mapped), or memory (is copied). Little-endian, row-major. */
export type WeightSource = {
  /** An element type by the name the graph has for it. */
  readonly dtype: string;
  readonly shape: readonly number[];
} & (FileSource | { readonly data: ArrayBufferView });

/** How a model refers to ranges of files. */
export interface FileRanges {
  /** What locations are relative to. */
  readonly folder: string;
  /** Throws EmosllmError when the range is not there. */
  readonly range: (
    weight: string,
    source: FileSource,
  ) => { readonly location: string; readonly offset: number; readonly length: number };
}

/** The source and its numeric shape. Throws EmosllmError `checkpoint_invalid` for a weight that is missing or does not fit. */
export function checkWeight(
  t: Tensor<"weight">,
  source: WeightSource | undefined,
): { readonly source: WeightSource; readonly shape: readonly number[]; readonly bytes: number } {
  const { name } = t.attrs;
  if (!source)
    throw new EmosllmError("checkpoint_invalid", `The weight '${name}' ${describeType(t)} is not in the checkpoint.`);
  // A tensor source of @emosllm/checkpoints may say that its elements are not simply in a row.
  const { strides, compressed } = source as { readonly strides?: unknown; readonly compressed?: unknown };
  if (strides !== undefined || compressed !== undefined)
    throw new EmosllmError(
      "checkpoint_invalid",
      `The weight '${name}' is ${compressed === undefined ? "not stored row by row" : "compressed"}, so it cannot be mapped; read it into memory first.`,
    );
  const shape = t.shape.map((d) => dimEvaluate(d, {}));
  if (source.dtype !== t.dtype || source.shape.join() !== shape.join())
    throw new EmosllmError(
      "checkpoint_invalid",
      `The weight '${name}' is ${source.dtype}[${source.shape.join(",")}] in the checkpoint, but the model needs ${describeType(t)}.`,
    );
  const bytes = elements(shape) * bytesPerElement(t.dtype);
  const length = "data" in source ? source.data.byteLength : source.length;
  if (length !== bytes)
    throw new EmosllmError(
      "checkpoint_invalid",
      `The weight '${name}' has ${length} bytes; ${describeType(t)} takes ${bytes}.`,
    );
  return { source, shape, bytes };
}
