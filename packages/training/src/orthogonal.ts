/**
 * @file `init_lora_weights: "orthogonal"`, as PEFT draws it: A and B are both other than zero, and B A is zero, because A lies in the
 * odd rows of a random rotation of the rank's space and B in the even ones (datta0.github.io/posts/rethink-lora-init).
 */
import { EmosllmError } from "@emosllm/interfaces";
import { normal, randomStream } from "./random.ts";

/** PEFT's divisor of both. */
const DIVISOR = 10;

/**
 * First values of A `[rank, in]` or B `[out, rank]` of the module at `path`; both parts have the same rotation. Throws EmosllmError
 * `not_supported` for an odd rank, as PEFT does.
 */
export function orthogonalFactor(
  part: "A" | "B",
  shape: readonly number[],
  seed: number,
  path: string,
): Float32Array<ArrayBuffer> {
  const [rank, width] = (part === "A" ? shape : shape.toReversed()) as [number, number];
  if (rank % 2 !== 0)
    throw new EmosllmError(
      "not_supported",
      `init_lora_weights 'orthogonal' needs an even rank; that of ${path} is ${rank}`,
    );
  const rotation = randomRotation(rank, seed, path);
  const rows = rotation.filter((_, k) => k % 2 === (part === "A" ? 0 : 1));
  const r = randomStream(seed, `initialise orthogonal ${part} ${path}`);
  const values = new Float32Array(rank * width);
  for (let i = 0; i < width; i++) {
    const drawn = rows.map(() => normal(r) / DIVISOR);
    for (let k = 0; k < rank; k++) {
      const sum = drawn.reduce((s, x, j) => s + x * (rows[j]?.[k] as number), 0);
      values[part === "A" ? k * width + i : i * rank + k] = sum;
    }
  }
  return values;
}

/** Rows that are orthogonal and of length 1, in a random direction (Gram and Schmidt, twice for the digits). */
function randomRotation(rank: number, seed: number, path: string): number[][] {
  const r = randomStream(seed, `initialise orthogonal ${path}`);
  const rows: number[][] = [];
  while (rows.length < rank) {
    const row = Array.from({ length: rank }, () => normal(r));
    for (let pass = 0; pass < 2; pass++)
      for (const other of rows) {
        const along = row.reduce((s, v, i) => s + v * (other[i] as number), 0);
        other.forEach((v, i) => (row[i] = (row[i] as number) - along * v));
      }
    const length = Math.hypot(...row);
    if (length > 1e-6) rows.push(row.map((v) => v / length));
  }
  return rows;
}
