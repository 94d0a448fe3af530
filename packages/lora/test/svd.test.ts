import { describe, expect, test } from "vitest";
import { approximateSingular, firstQr, largestSingular, matrixOf } from "../src/svd.ts";

function randoms(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 31 - 1;
  };
}
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (v, i) => v * (b[i] as number)).reduce((x, y) => x + y, 0);

/** U diag(values) V^T with random orthonormal U and V, so that the answer is known. */
function known(rows: number, columns: number, values: readonly number[], seed: number): Float64Array {
  const r = randoms(seed);
  const basis = (size: number): Float64Array[] =>
    firstQr(matrixOf(Float64Array.from({ length: size * values.length }, r), size, values.length), values.length).q;
  const [us, vs] = [basis(rows), basis(columns)];
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [o, i] = [Math.floor(at / columns), at % columns];
    return values.reduce(
      (s, v, k) => s + v * ((us[k] as Float64Array)[o] as number) * ((vs[k] as Float64Array)[i] as number),
      0,
    );
  });
}

describe.each([
  ["Jacobi, wide", 9, 31, 9],
  ["Jacobi, tall", 40, 12, 12],
  ["Lanczos", 230, 160, 160],
  ["Lanczos, of low rank", 130, 150, 7],
])("%s", (_, rows, columns, rank) => {
  // Two equal ones, and a slow decay after them.
  const values = Array.from({ length: rank }, (__, k) => (k < 2 ? 5 : 4 * 0.97 ** k));
  const matrix = matrixOf(known(rows, columns, values, 5), rows, columns);

  test("finds the largest values with orthonormal vectors that the matrix turns into each other", () => {
    const { left, values: found, right } = largestSingular(matrix, 5);
    found.forEach((v, k) => expect(v).toBeCloseTo(values[k] as number, 8));
    for (const side of [left, right])
      side.forEach((a, i) => side.forEach((b, j) => expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 8)));
    right.forEach((v, k) => {
      for (let o = 0; o < rows; o++)
        expect(dot(matrix.data.subarray(o * columns, (o + 1) * columns), v)).toBeCloseTo(
          (found[k] as number) * ((left[k] as Float64Array)[o] as number),
          6,
        );
    });
  });
});

test("subspace iteration finds the same values where they lie apart", () => {
  const matrix = matrixOf(known(50, 20, [9, 5, 2, 0.1, 0.05], 2), 50, 20);
  const { values } = approximateSingular(matrix, 3, 8, randoms(4));
  [9, 5, 2].forEach((v, k) => expect(values[k]).toBeCloseTo(v, 8));
});

test("the zero matrix and repeated columns give vectors of unit length all the same", () => {
  const { left, values } = largestSingular(matrixOf(new Float64Array(12), 4, 3), 2);
  expect(values).toEqual([0, 0]);
  for (const v of left) expect(dot(v, v)).toBeCloseTo(1, 12);
  const { q, r } = firstQr(matrixOf([1, 1, 0, 0, 1, 1], 3, 2), 2);
  expect(dot(q[0] as Float64Array, q[1] as Float64Array)).toBeCloseTo(0, 12);
  expect(r[0]?.[0]).toBeCloseTo(Math.SQRT2, 12);
});
