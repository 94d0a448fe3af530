/**
 * @file How the tokens of a batch lie: all rows in one matrix `[tokens, width]`, so that every linear layer is one product.
 * A prefix that all rows share is there once; the rows' own tokens attend to it and to themselves. Rows are padded on the right,
 * which a causal model needs no mask for: nobody attends to what comes later.
 */
import {
  type Dim,
  type Tensor,
  add,
  cast,
  concat,
  dimAdd,
  dimMultiply,
  expand,
  lessEqual,
  matmul,
  range,
  reshape,
  size,
  slice,
  softmax,
  sub,
  transpose,
  where,
  and,
  equal,
  less,
  mul,
  or,
  scalar,
  tanh,
} from "@emosllm/graph";

/** What one attention layer says of itself. */
export interface AttentionSpec {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** Factor of the scores; 1 / sqrt(headDim) when not given. */
  readonly scale?: number;
  /** Attend only to the last `window` positions, oneself included. */
  readonly window?: number | undefined;
  /** tanh soft cap of the scores (Gemma 2). */
  readonly softcap?: number | undefined;
}

/** Where tokens lie and what they see. */
export interface TokenLayout {
  readonly tokens: Dim;
  /** Position of each token in its row, i64 `[tokens]`. */
  readonly positions: Tensor;
  /** q `[tokens, heads*headDim]`, k and v `[tokens, keyValueHeads*headDim]` -> `[tokens, heads*headDim]` */
  readonly attend: (q: Tensor, k: Tensor, v: Tensor, spec: AttentionSpec) => Tensor;
}

/** Sizes of {@link causalLayout}. */
export interface CausalLayoutSizes {
  readonly rows: Dim;
  /** Tokens of each row after the prefix, padded. */
  readonly suffix: Dim;
  /** Tokens that all rows share; 0 when there are none. */
  readonly prefix?: Dim;
  /** Rows whose end splits into alternatives; a plain causal row when not given. */
  readonly branches?: Branches;
}

/** Alternatives in a row: several answers after one context, none of which sees another. */
export interface Branches {
  /** i64 `[rows, suffix]`: 0 for the context, which all see; k for the k-th alternative, which only itself sees */
  readonly segments: Tensor;
  /** i64 `[rows, suffix]`: position of each token in its row, prefix counted */
  readonly positions: Tensor;
}

/** Rows `[prefix + rows*suffix]`: the shared prefix first, then row after row. */
export function causalLayout({ rows, suffix, prefix = 0, branches }: CausalLayoutSizes): TokenLayout {
  const own = dimMultiply(rows, suffix);
  const tokens = dimAdd(prefix, own);
  const ownPositions = reshape(branches?.positions ?? expand(add(range(suffix), size(prefix)), [rows, suffix]), [own]);
  const positions = prefix === 0 ? ownPositions : concat([range(prefix), ownPositions], 0);
  const prefixMask = byWindow((window) => causalMask(0, prefix, window));
  const suffixMask = byWindow((window) =>
    branches ? branchMask(rows, suffix, prefix, branches, window) : causalMask(prefix, suffix, window),
  );

  return {
    tokens,
    positions,
    attend: (q, k, v, spec) => {
      const part = (x: Tensor, heads: number, which: "prefix" | "suffix"): Tensor => {
        const [from, to, batch, length] = which === "prefix" ? [0, prefix, 1, prefix] : [prefix, tokens, rows, suffix];
        return transpose(
          reshape(slice(x, 0, from as Dim, to as Dim), [batch as Dim, length as Dim, heads, spec.headDim]),
          [0, 2, 1, 3],
        );
      };
      const { heads, keyValueHeads } = spec;
      const [kOwn, vOwn] = [part(k, keyValueHeads, "suffix"), part(v, keyValueHeads, "suffix")];
      if (prefix === 0) return merge(grouped(part(q, heads, "suffix"), kOwn, vOwn, suffixMask(spec.window), spec));
      const [kShared, vShared] = [part(k, keyValueHeads, "prefix"), part(v, keyValueHeads, "prefix")];
      const wide = (shared: Tensor, rest: Tensor): Tensor =>
        concat([expand(shared, [rows, keyValueHeads, prefix, spec.headDim]), rest], 2);
      return concat(
        [
          merge(grouped(part(q, heads, "prefix"), kShared, vShared, prefixMask(spec.window), spec)),
          merge(
            grouped(part(q, heads, "suffix"), wide(kShared, kOwn), wide(vShared, vOwn), suffixMask(spec.window), spec),
          ),
        ],
        0,
      );
    },
  };
}

type MaskOf = (window: number | undefined) => Tensor;

/** Each window's mask is built once for all layers. */
function byWindow(build: MaskOf): MaskOf {
  const made = new Map<number | undefined, Tensor>();
  return (window) => {
    let mask = made.get(window);
    if (!mask) made.set(window, (mask = build(window)));
    return mask;
  };
}

/** from and to: positions that broadcast to the mask's shape. */
const visible = (from: Tensor, to: Tensor, window: number | undefined): Tensor =>
  window === undefined ? lessEqual(to, from) : and(lessEqual(to, from), less(sub(from, to), scalar(window, "i64")));

/** Added to the scores: `[length, before + length]`. */
function causalMask(before: Dim, length: Dim, window: number | undefined): Tensor {
  const from = reshape(add(range(length), size(before)), [length, 1]);
  const to = reshape(range(dimAdd(before, length)), [1, dimAdd(before, length)]);
  return where(visible(from, to, window), 0, MASKED);
}

/** The same for rows with alternatives: `[rows, 1, suffix, prefix + suffix]`. */
function branchMask(
  rows: Dim,
  suffix: Dim,
  prefix: Dim,
  { segments, positions }: Branches,
  window: number | undefined,
): Tensor {
  const column = (t: Tensor): Tensor => reshape(t, [rows, 1, suffix, 1]);
  const row = (t: Tensor): Tensor => reshape(t, [rows, 1, 1, suffix]);
  // Order in the row decides, so that padding sees nothing new; positions only matter to a window.
  const order = reshape(range(suffix), [1, 1, suffix, 1]);
  const earlier = lessEqual(reshape(range(suffix), [1, 1, 1, suffix]), order);
  const allowed = or(equal(row(segments), scalar(0, "i64")), equal(row(segments), column(segments)));
  const near = window === undefined ? allowed : and(allowed, visible(column(positions), row(positions), window));
  const own = where(and(earlier, near), 0, MASKED);
  if (prefix === 0) return own;
  const shared = reshape(range(prefix), [1, 1, 1, prefix]);
  const before =
    window === undefined
      ? expand(scalar(0), [rows, 1, suffix, prefix])
      : where(visible(column(positions), shared, window), 0, MASKED);
  return concat([before, own], 3);
}

/** Far below any score, yet finite: exp underflows to exactly 0. */
const MASKED = -1e30;

/** q `[rows, heads, length, headDim]`, k and v `[rows, kvHeads, keys, headDim]`: heads that share keys go into one product, keys are not repeated. */
function grouped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, spec: AttentionSpec): Tensor {
  const { heads, keyValueHeads, headDim, softcap } = spec;
  const [rows, , length] = q.shape as [Dim, Dim, Dim];
  const keys = k.shape[2] as Dim;
  const share = heads / keyValueHeads;
  const together: Dim[] = [rows, keyValueHeads, dimMultiply(share, length), headDim];
  let scores = matmul(reshape(q, together), k, { transB: true, alpha: spec.scale ?? headDim ** -0.5 });
  if (softcap !== undefined) scores = mul(tanh(mul(scores, 1 / softcap)), softcap);
  const apart = reshape(scores, [rows, heads, length, keys]);
  const weights = softmax(add(apart, mask));
  const mixed = matmul(reshape(weights, [rows, keyValueHeads, dimMultiply(share, length), keys]), v);
  return reshape(mixed, [rows, heads, length, headDim]);
}

/** `[rows, heads, length, headDim]` -> `[rows*length, heads*headDim]` */
function merge(x: Tensor): Tensor {
  const [rows, heads, length, headDim] = x.shape as [Dim, number, Dim, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [dimMultiply(rows, length), heads * headDim]);
}

/** Positions as f32, for the rotary angles. */
export const positionsAsFloat = (layout: TokenLayout): Tensor => cast(layout.positions, "f32");
