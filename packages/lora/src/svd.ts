/**
 * @file The largest singular values and vectors of a matrix, and the first columns of its QR factors, in float64. Small matrices by one-sided
 * Jacobi (Golub & Van Loan, section 8.6.3); large ones by Lanczos bidiagonalisation with full reorthogonalisation (section 10.4), until
 * the wanted values stand; approximations by subspace iteration (Halko et al. 2011, algorithm 5.1, as torch.svd_lowrank).
 */

/** A matrix by rows. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** `left[k]`, `values[k]`, `right[k]`: the k-th largest singular value and its unit vectors. */
export interface SingularTriplets {
  readonly left: readonly Float64Array[];
  readonly values: readonly number[];
  readonly right: readonly Float64Array[];
}

/** Up to this many rows or columns Jacobi is as fast. */
const SMALL = 96;
/** Relative change of the wanted values below which Lanczos stops. */
const TOLERANCE = 1e-10;

export const matrixOf = (data: ArrayLike<number>, rows: number, columns: number): Matrix => ({
  rows,
  columns,
  data: Float64Array.from(data),
});

const dot = (a: Float64Array, b: Float64Array): number => {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += (a[i] as number) * (b[i] as number);
  return s;
};
const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));
/** a += s b */
const accumulate = (a: Float64Array, b: Float64Array, s: number): void => {
  for (let i = 0; i < a.length; i++) a[i] = (a[i] as number) + s * (b[i] as number);
};

/** M x */
function times({ rows, columns, data }: Matrix, x: Float64Array): Float64Array {
  const y = new Float64Array(rows);
  for (let r = 0, at = 0; r < rows; r++) {
    let s = 0;
    for (let c = 0; c < columns; c++) s += (data[at++] as number) * (x[c] as number);
    y[r] = s;
  }
  return y;
}
/** M^T x */
function transposeTimes({ rows, columns, data }: Matrix, x: Float64Array): Float64Array {
  const y = new Float64Array(columns);
  for (let r = 0, at = 0; r < rows; r++) {
    const s = x[r] as number;
    for (let c = 0; c < columns; c++) y[c] = (y[c] as number) + s * (data[at++] as number);
  }
  return y;
}

/** Takes what lies along `basis` out of `v`, twice for the digits, and gives what is left its length. */
function orthogonalise(v: Float64Array, basis: readonly Float64Array[]): number {
  for (let pass = 0; pass < 2; pass++) for (const b of basis) accumulate(v, b, -dot(v, b));
  return norm(v);
}

/** A unit vector that is orthogonal to `basis`: `v` without what lies along it, or another where nothing is left. */
function nextDirection(v: Float64Array, basis: readonly Float64Array[], least: number): Float64Array {
  let length = orthogonalise(v, basis);
  for (let axis = 0; length <= least && axis < v.length; axis++) {
    v.fill(0);
    v[axis] = 1;
    length = orthogonalise(v, basis);
    least = 0.1 / Math.sqrt(v.length);
  }
  return length > 0 ? v.map((x) => x / length) : v;
}

/** One-sided Jacobi: turns pairs of columns until all are orthogonal. */
function jacobi(matrix: Matrix): SingularTriplets {
  const { rows, columns, data } = matrix;
  if (rows < columns) {
    const turned = jacobi(transposed(matrix));
    return { left: turned.right, values: turned.values, right: turned.left };
  }
  const column = Array.from({ length: columns }, (_, c) =>
    Float64Array.from({ length: rows }, (__, r) => data[r * columns + c] as number),
  );
  const right = Array.from({ length: columns }, (_, c) => {
    const e = new Float64Array(columns);
    e[c] = 1;
    return e;
  });
  const scale = Math.max(...column.map(norm), Number.MIN_VALUE);
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false;
    for (let p = 0; p < columns; p++)
      for (let q = p + 1; q < columns; q++) {
        const [a, b] = [column[p] as Float64Array, column[q] as Float64Array];
        const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(ab) <= 1e-15 * Math.sqrt(aa * bb) || Math.abs(ab) <= 1e-30 * scale * scale) continue;
        turned = true;
        const zeta = (bb - aa) / (2 * ab);
        const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + t * t);
        for (const [x, y] of [
          [a, b],
          [right[p] as Float64Array, right[q] as Float64Array],
        ] as const)
          for (let i = 0; i < x.length; i++) {
            const [xi, yi] = [x[i] as number, y[i] as number];
            x[i] = cosine * (xi - t * yi);
            y[i] = cosine * (yi + t * xi);
          }
      }
  }
  const order = column.map((c, i) => ({ i, value: norm(c) })).sort((a, b) => b.value - a.value);
  const left: Float64Array[] = [];
  for (const { i } of order)
    left.push(nextDirection(Float64Array.from(column[i] as Float64Array), left, 1e-14 * scale));
  return { left, values: order.map((o) => o.value), right: order.map((o) => right[o.i] as Float64Array) };
}

function transposed({ rows, columns, data }: Matrix): Matrix {
  const turned = new Float64Array(data.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) turned[c * rows + r] = data[r * columns + c] as number;
  return { rows: columns, columns: rows, data: turned };
}

const combine = (vectors: readonly Float64Array[], weights: Float64Array): Float64Array => {
  const sum = new Float64Array((vectors[0] as Float64Array).length);
  vectors.forEach((v, i) => accumulate(sum, v, weights[i] as number));
  return sum;
};

const first = ({ left, values, right }: SingularTriplets, count: number): SingularTriplets => ({
  left: left.slice(0, count),
  values: values.slice(0, count),
  right: right.slice(0, count),
});

/** The `count` largest singular values and their vectors; `count` is at most the smaller side. */
export function largestSingular(matrix: Matrix, count: number): SingularTriplets {
  const smaller = Math.min(matrix.rows, matrix.columns);
  if (smaller <= SMALL) return first(jacobi(matrix), count);
  const [us, vs]: [Float64Array[], Float64Array[]] = [[], []];
  const [alphas, betas]: [number[], number[]] = [[], []];
  // Any start that is not orthogonal to a wanted vector will do; a fixed one keeps results the same.
  let v = nextDirection(
    Float64Array.from({ length: matrix.columns }, (_, i) => Math.sin(i * i + 1)),
    [],
    0,
  );
  let before: readonly number[] = [];
  for (let k = 1; ; k++) {
    vs.push(v);
    const u = times(matrix, v);
    const alpha = orthogonalise(u, us);
    alphas.push(alpha);
    us.push(alpha > 0 ? u.map((x) => x / alpha) : nextDirection(u, us, 0));
    const w = transposeTimes(matrix, us.at(-1) as Float64Array);
    const beta = orthogonalise(w, vs);
    if (k === smaller || (k >= 2 * count && k % 16 === 0)) {
      // us^T M vs is upper bidiagonal: alphas on the diagonal, betas beside it.
      const small = new Float64Array(k * k);
      alphas.forEach((a, i) => {
        small[i * k + i] = a;
        if (i + 1 < k) small[i * k + i + 1] = betas[i] as number;
      });
      const inner = first(jacobi({ rows: k, columns: k, data: small }), count);
      // What is left out moves value i by at most beta times the last number of its left vector, and its vectors by that over the gap.
      const residual = Math.max(...inner.left.map((x) => beta * Math.abs(x[k - 1] as number)));
      const top = inner.values[0] as number;
      const steady = inner.values.every((s, i) => Math.abs(s - (before[i] ?? 0)) <= TOLERANCE * top);
      before = inner.values;
      if (k === smaller || (residual <= 1e-9 * top && steady))
        return {
          left: inner.left.map((x) => combine(us, x)),
          values: inner.values,
          right: inner.right.map((x) => combine(vs, x)),
        };
    }
    betas.push(beta);
    v = beta > 0 ? w.map((x) => x / beta) : nextDirection(w, vs, 0);
  }
}

/** The same by `rounds` of subspace iteration from `count` random columns; `random` gives numbers of the normal distribution. */
export function approximateSingular(
  matrix: Matrix,
  count: number,
  rounds: number,
  random: () => number,
): SingularTriplets {
  const basisOf = (vectors: readonly Float64Array[]): Float64Array[] => {
    const basis: Float64Array[] = [];
    for (const v of vectors) basis.push(nextDirection(v, basis, 1e-300));
    return basis;
  };
  let q = basisOf(
    Array.from({ length: count }, () => times(matrix, Float64Array.from({ length: matrix.columns }, random))),
  );
  for (let i = 0; i < rounds; i++) {
    const z = basisOf(q.map((x) => transposeTimes(matrix, x)));
    q = basisOf(z.map((x) => times(matrix, x)));
  }
  const low = new Float64Array(count * matrix.columns);
  q.forEach((x, i) => low.set(transposeTimes(matrix, x), i * matrix.columns));
  const inner = jacobi({ rows: count, columns: matrix.columns, data: low });
  return { left: inner.left.map((x) => combine(q, x)), values: inner.values, right: inner.right };
}

/** The first `count` columns of Q and rows of R of M = Q R, up to a sign each. */
export function firstQr(matrix: Matrix, count: number): { readonly q: Float64Array[]; readonly r: Float64Array[] } {
  const { rows, columns, data } = matrix;
  const q: Float64Array[] = [];
  for (let c = 0; c < count; c++) {
    const v = Float64Array.from({ length: rows }, (_, r) => data[r * columns + c] as number);
    q.push(nextDirection(v, q, 1e-14 * norm(v)));
  }
  return { q, r: q.map((x) => transposeTimes(matrix, x)) };
}
