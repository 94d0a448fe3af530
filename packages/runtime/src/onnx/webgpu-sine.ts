/**
 * @file Sine and cosine on WebGPU from sums and products. WGSL allows its own an error of 2^-11 within [-pi, pi] and says nothing beyond;
 * Chromium's software device uses that up (1.9e-4), and the positions of tokens are angles of hundreds of radians.
 */
import type { DType } from "@emosllm/graph";
import type { Builder } from "./builder.ts";
import { ONNX_DTYPES } from "./model.ts";

/** pi / 2 in three parts (Cody and Waite 1980): the first two have so few bits that whole multiples up to 2^13 are exact. */
const HALF_PI = [1.5703125, 4.837512969970703125e-4, 7.549789948768648e-8] as const;
/** Within pi / 4 of 0, from Moshier's Cephes (sinf.c): right to 1e-7. */
const SINE = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1] as const;
const COSINE = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2] as const;

/** sin(x), or cos(x) as the sine a quarter of a turn on: `quarters` is 0 or 1. */
export function sine(b: Builder, given: string, dtype: DType, quarters: 0 | 1): string {
  const op = (type: string, ...x: string[]): string => b.node(type, x)[0] as string;
  const number = (v: number): string => b.scalar(v, "f32");
  const mul = (x: string, y: string | number): string => op("Mul", x, typeof y === "number" ? number(y) : y);
  const add = (x: string, y: string | number): string => op("Add", x, typeof y === "number" ? number(y) : y);
  const cast = (x: string, to: DType): string => b.node("Cast", [x], { to: ONNX_DTYPES[to] })[0] as string;

  const x = dtype === "f32" ? given : cast(given, "f32");
  // Sine and cosine of one value, as positions need both, differ only in the quarter.
  const [turns, sin, cos] = b.shared(`sine of ${given}`, () => {
    // The nearest multiple of pi / 2, and how far from it.
    const nearest = op("Floor", add(mul(x, 2 / Math.PI), 0.5));
    const r = HALF_PI.reduce((left, part) => op("Sub", left, mul(nearest, part)), x);
    const z = mul(r, r);
    const polynomial = ([first, ...rest]: readonly number[]): string =>
      rest.reduce((sum, c) => add(mul(sum, z), c), number(first as number));
    return [
      nearest,
      add(mul(mul(polynomial(SINE), z), r), r),
      add(add(mul(mul(polynomial(COSINE), z), z), mul(z, -0.5)), 1),
    ];
  }) as [string, string, string];
  // Of the four quarters of a turn, the odd ones are cosines and the last two negative.
  const at = quarters === 0 ? turns : add(turns, 1);
  const quarter = op("Sub", at, mul(op("Floor", mul(at, 0.25)), 4));
  const half = op("Floor", mul(quarter, 0.5));
  const odd = op("Sub", quarter, mul(half, 2));
  const size = add(sin, mul(odd, op("Sub", cos, sin)));
  const signed = mul(size, add(mul(half, -2), 1));
  return dtype === "f32" ? signed : cast(signed, dtype);
}
