/**
 * @file Dropout (Srivastava et al. 2014) whose random numbers are a function of a key that is fed: the same key gives the same mask,
 * in forward and backward, on any number of threads. The numbers are hashes in the integers modulo the prime 2^31 - 1.
 */
import { dimDivideExact, dimProduct } from "./dims.ts";
import { abs, add, cast, div, greaterEqual, mul, range, reshape, scalar, sub } from "./ops.ts";
import { type Tensor, describeType } from "./tensor.ts";

/** Options of {@link dropout}. */
export interface DropoutOptions {
  /** The share of elements that become 0, in [0, 1). */
  readonly rate: number;
  /** Tells calls with one key apart: another whole number, another mask. */
  readonly stream?: number;
}

const PRIME = 2147483647;
const i64 = (n: number): Tensor => scalar(n, "i64");
/** For 0 <= t < 2^63. */
const modulo = (t: Tensor): Tensor => sub(t, mul(div(t, i64(PRIME)), i64(PRIME)));
/** t -> (t + c)^5, one to one because 5 has no factor in common with 2^31 - 2; a round of MiMC (Albrecht et al. 2016). */
function scramble(t: Tensor, c: Tensor): Tensor {
  const base = modulo(add(t, c));
  const square = modulo(mul(base, base));
  return modulo(mul(modulo(mul(square, square)), base));
}

/**
 * `x` with about `rate` of its elements set to 0 and the others multiplied by `1 / (1 - rate)`. `key`: an i64 scalar, another one each
 * step. Throws RangeError for a rate outside [0, 1) or a key that is no i64 scalar.
 *
 * @example
 * const y = dropout(x, input("step", [], "i64"), { rate: 0.1, stream: layer });
 */
export function dropout(x: Tensor, key: Tensor, { rate, stream = 0 }: DropoutOptions): Tensor {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`dropout: the rate must be in [0, 1), not ${rate}`);
  if (!Number.isSafeInteger(stream) || stream < 0)
    throw new RangeError(`dropout: the stream must be a whole number >= 0, not ${stream}`);
  if (key.dtype !== "i64" || key.shape.length !== 0)
    throw new RangeError(`dropout: the key must be an i64 scalar, not ${describeType(key)}`);
  if (rate === 0) return x;
  const count = dimProduct(x.shape);
  const width = x.shape.at(-1) ?? 1;
  const rows = width === 0 ? 0 : (dimDivideExact(count, width) ?? 1);
  const start = scramble(modulo(abs(key)), i64(stream % PRIME));
  // Rows and columns are hashed one by one; only joining them costs something for each element.
  const row = reshape(scramble(scramble(range(rows), start), i64(1103515245)), [rows, 1]);
  const column = reshape(scramble(scramble(range(width), start), i64(747796405)), [1, width]);
  const joined = modulo(add(mul(row, column), start));
  const number = modulo(add(mul(joined, joined), row));
  const kept = cast(greaterEqual(number, i64(Math.round(rate * PRIME))), x.dtype);
  return mul(x, reshape(mul(kept, 1 / (1 - rate)), x.shape));
}
