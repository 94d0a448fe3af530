/** @file What an adapter's tensors are before training: the base as it is, nothing added. */
import { type StoredTensor, readTensor } from "@emosllm/checkpoints";
import type { LoraAdapter } from "./adapter.ts";
import { EMBEDDING, EMBEDDING_WEIGHT, type LoraBase, sourceOf } from "./base.ts";
import { loraNames, namesOf, tokenRowsName } from "./names.ts";

/** L2 norm of each row of `[rows, width]`. */
export function rowNorms(matrix: Float32Array, rows: number): Float32Array {
  const width = matrix.length / rows;
  return Float32Array.from({ length: rows }, (_, r) => {
    let total = 0;
    for (let i = r * width; i < (r + 1) * width; i++) total += (matrix[i] as number) ** 2;
    return Math.sqrt(total);
  });
}

/** L2 norm of each column of `[rows, width]`. */
export function columnNorms(matrix: Float32Array, width: number): Float32Array {
  const totals = new Float64Array(width);
  for (let i = 0; i < matrix.length; i++)
    totals[i % width] = (totals[i % width] as number) + (matrix[i] as number) ** 2;
  return Float32Array.from(totals, Math.sqrt);
}

/**
 * Values that leave the base as it is: A and B 0 (a trainer draws A) or what the adapter's `initial` took out of the base, DoRA's magnitudes the norms of W's rows (of embeddings its columns), biases,
 * whole modules and rows of tokens the base's. `names`: only these. Throws what reading the base throws.
 */
export async function firstValues(
  adapter: LoraAdapter,
  base: LoraBase,
  names: readonly string[] = Object.keys(adapter.parameters),
): Promise<Map<string, StoredTensor>> {
  const sources = new Map([...adapter.replaced].map(([from, name]) => [name, from]));
  const magnitudes = new Map(adapter.targets.map((t) => [namesOf(t).magnitude, t]));
  const factors = new Map(
    [...(adapter.initial ?? [])].flatMap(([path, { a, b }]) => [
      [loraNames(path).a, a] as const,
      [loraNames(path).b, b] as const,
    ]),
  );
  const read = async (name: string): Promise<Float32Array> => {
    const source = sourceOf(base, name);
    if (!source) throw new RangeError(`internal: the base has no '${name}'`);
    return readTensor(source, "f32");
  };
  const values = new Map<string, StoredTensor>();
  for (const name of names) {
    const shape = adapter.parameters[name];
    if (!shape) throw new RangeError(`internal: the adapter has no '${name}'`);
    const [from, target] = [sources.get(name), magnitudes.get(name)];
    const begun = factors.get(name);
    const data =
      begun !== undefined
        ? begun
        : from !== undefined
          ? await read(from)
          : target !== undefined
            ? (target.embedding ? columnNorms : rowNorms)(await read(`${target.path}.weight`), shape[0] as number)
            : name === tokenRowsName(EMBEDDING)
              ? rowsOf(await read(EMBEDDING_WEIGHT), adapter.tokens, shape[1] as number)
              : new Float32Array(shape.reduce((p, d) => p * d, 1));
    values.set(name, { dtype: "f32", shape, data });
  }
  return values;
}

/** The rows `ids` of `[rows, width]`. */
function rowsOf(matrix: Float32Array, ids: readonly number[], width: number): Float32Array {
  const rows = new Float32Array(ids.length * width);
  ids.forEach((id, i) => rows.set(matrix.subarray(id * width, (id + 1) * width), i * width));
  return rows;
}
