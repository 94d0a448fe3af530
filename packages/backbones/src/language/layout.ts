/**
 * @file How the tokens of a batch lie: all rows in one matrix `[tokens, width]`, so that every linear layer is one product.
 * A prefix that all rows share is there once; the rows' own tokens attend to it and to themselves. Rows are padded on the right,
 * which a causal model needs no mask for: nobody attends to what comes later. Packed rows have padding only while they attend.
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
  gather,
  lessEqual,
  matmul,
  range,
  reshape,
  size,
  slice,
  softmax,
  sub,
  takeRows,
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

/** `[tokens, heads*headDim]` and so on: see {@link TokenLayout.attend}. */
export type Attend = (q: Tensor, k: Tensor, v: Tensor, spec: AttentionSpec) => Tensor;

/** Where tokens lie and what they see. */
export interface TokenLayout {
  readonly tokens: Dim;
  /** Position of each token in its row, i64 `[tokens]`. */
  readonly positions: Tensor;
  /** Last position of each token's text so far, i64 `[tokens, 1]`; the largest of `positions` for all when not given. */
  readonly reach?: Tensor;
  /** q `[tokens, heads*headDim]`, k and v `[tokens, keyValueHeads*headDim]` -> `[tokens, heads*headDim]` */
  readonly attend: Attend;
  /** Set where only some tokens' results are wanted of the last layer. */
  readonly asked?: {
    /** The tokens, i64 `[asked]`; one may be asked for several times. */
    readonly places: Tensor;
    /** As `attend`, for queries of these tokens alone: q `[asked, heads*headDim]`, k and v of all tokens -> `[asked, heads*headDim]`. */
    readonly attend: Attend;
  };
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
  /** Rows without their padding, one after the other: what is not attention then runs over `[prefix + ownTokens]`. */
  readonly packing?: Packing;
  /** Of the last layer only these tokens; needs `packing`. */
  readonly asked?: Asked;
}

/** Rows of different lengths without padding between them, and where each token stands in the rectangle `[rows, suffix]`. */
export interface Packing {
  /** i64 `[rows, suffix]`: which of the rows' own tokens (0 is the first after the prefix) stands there; any in the padding */
  readonly places: Tensor;
  /** i64 `[ownTokens]` */
  readonly rows: Tensor;
  /** i64 `[ownTokens]`: place in its row */
  readonly columns: Tensor;
}

/** Tokens whose results are wanted, and a rectangle `[rows, slots]` that they stand in while they attend. */
export interface Asked {
  /** i64 `[asked]`: tokens, prefix counted; none of the prefix */
  readonly tokens: Tensor;
  /** i64 `[rows, slots]`: which of `tokens` stands there; any in the padding */
  readonly slots: Tensor;
  /** i64 `[asked]`: row and slot of each */
  readonly rows: Tensor;
  readonly columns: Tensor;
}

/** Alternatives in a row: several answers after one context, none of which sees another. */
export interface Branches {
  /** i64 `[rows, suffix]`: 0 for the context, which all see; k for the k-th alternative, which only itself sees */
  readonly segments: Tensor;
  /** i64 `[rows, suffix]`: position of each token in its row, prefix counted */
  readonly positions: Tensor;
}

/** The shared prefix first, then row after row: `[prefix + rows*suffix]`, or `[prefix + ownTokens]` when packed. */
export function causalLayout(sizes: CausalLayoutSizes): TokenLayout {
  const { rows, suffix, prefix = 0, branches, packing, asked } = sizes;
  if (asked && !packing) throw new RangeError("causalLayout: asked tokens need packed rows");
  const rectangle = dimMultiply(rows, suffix);
  const own = packing ? (packing.rows.shape[0] as Dim) : rectangle;
  const tokens = dimAdd(prefix, own);
  const inRectangle = branches?.positions ?? expand(add(range(suffix), size(prefix)), [rows, suffix]);
  const ownPositions = packing
    ? branches
      ? gather(reshape(inRectangle, [rectangle]), add(mul(packing.rows, size(suffix)), packing.columns))
      : add(packing.columns, size(prefix))
    : reshape(inRectangle, [own]);
  const positions = prefix === 0 ? ownPositions : concat([range(prefix), ownPositions], 0);
  const prefixMask = once((window: number | undefined) => causalMask(0, prefix, window));
  const suffixMask = once((window: number | undefined) =>
    branches ? branchMask(rows, suffix, prefix, branches, window) : causalMask(prefix, suffix, window),
  );
  const split = packing ? packedHeads(sizes, packing) : paddedHeads(sizes);
  const askedSplit = asked ? rectangleOfHeads(rows, 0, asked.slots, asked.rows, asked.columns) : undefined;
  const askedMask = once((window: number | undefined) =>
    askedRows(suffixMask(window), sizes, packing as Packing, asked as Asked),
  );

  /** Keys or values that the rows' own tokens see: the prefix's before theirs. */
  const seen = ({ shared, own: rest }: SplitHeads): Tensor =>
    shared ? concat([expand(shared, [rows, ...shared.shape.slice(1)]), rest], 2) : rest;

  return {
    tokens,
    positions,
    attend: (q, k, v, spec) => {
      const { heads, keyValueHeads } = spec;
      const [qs, ks, vs] = [split.apart(q, heads), split.apart(k, keyValueHeads), split.apart(v, keyValueHeads)];
      return split.together({
        shared:
          qs.shared && ks.shared && vs.shared
            ? grouped(qs.shared, ks.shared, vs.shared, prefixMask(spec.window), spec)
            : undefined,
        own: grouped(qs.own, seen(ks), seen(vs), suffixMask(spec.window), spec),
      });
    },
    ...(asked && askedSplit
      ? {
          asked: {
            places: asked.tokens,
            attend: (q, k, v, spec) => {
              const { own: queries } = askedSplit.apart(q, spec.heads);
              const [ks, vs] = [split.apart(k, spec.keyValueHeads), split.apart(v, spec.keyValueHeads)];
              const own = grouped(queries, seen(ks), seen(vs), askedMask(spec.window), spec);
              return askedSplit.together({ shared: undefined, own });
            },
          },
        }
      : {}),
  };
}

/** Heads side by side: the shared prefix's `[1, heads, prefix, headDim]`, the rows' own `[rows, heads, suffix, headDim]`. */
interface SplitHeads {
  readonly shared: Tensor | undefined;
  readonly own: Tensor;
}

/** From one matrix of tokens to heads, and back. */
interface HeadSplitter {
  readonly apart: (x: Tensor, heads: number) => SplitHeads;
  readonly together: (x: SplitHeads) => Tensor;
}

/** For padded rows: slices and transposes. */
function paddedHeads({ rows, suffix, prefix = 0 }: CausalLayoutSizes): HeadSplitter {
  const heads = (x: Tensor, n: number, batch: Dim, length: Dim): Tensor =>
    transpose(reshape(x, [batch, length, n, dimDivide(x.shape[1] as Dim, n)]), [0, 2, 1, 3]);
  return {
    apart: (x, n) => ({
      shared: prefix === 0 ? undefined : heads(slice(x, 0, 0, prefix), n, 1, prefix),
      own: heads(slice(x, 0, prefix), n, rows, suffix),
    }),
    together: ({ shared, own }) => (shared ? concat([merge(shared), merge(own)], 0) : merge(own)),
  };
}

const dimDivide = (a: Dim, n: number): number => (a as number) / n;

/** For packed rows: see {@link rectangleOfHeads}. */
const packedHeads = ({ rows, prefix = 0 }: CausalLayoutSizes, packing: Packing): HeadSplitter =>
  rectangleOfHeads(rows, prefix, packing.places, packing.rows, packing.columns);

/**
 * One gather spreads tokens over the rectangle and sorts them by head; one brings them back. What stands in the padding is some other
 * token: nobody attends to it, and its own result is made 0, so each token counts at one place, and the gradient is the other gather.
 */
function rectangleOfHeads(rows: Dim, prefix: Dim, places: Tensor, rowOf: Tensor, columnOf: Tensor): HeadSplitter {
  const width = places.shape[1] as Dim;
  const own = rowOf.shape[0] as Dim;
  const tokens = dimAdd(prefix, own);
  const i64 = (n: number): Tensor => scalar(n, "i64");
  const stands = (t: Tensor, axis: Tensor): Tensor => equal(gather(t, places), axis);
  const real = and(stands(rowOf, reshape(range(rows), [rows, 1])), stands(columnOf, reshape(range(width), [1, width])));
  const kept = reshape(cast(real, "f32"), [rows, 1, width, 1]);
  /** Where in `[tokens*heads]` each place of the spread heads comes from, and the way back. */
  const indices = once((heads: number) => {
    const flat = (t: Tensor, n: Dim): Tensor => reshape(t, [n]);
    const head = range(heads);
    const spreadOwn = add(
      mul(add(reshape(places, [rows, 1, width]), size(prefix)), i64(heads)),
      reshape(head, [1, heads, 1]),
    );
    const row = reshape(rowOf, [own, 1]);
    const backOwn = add(
      add(mul(add(mul(row, i64(heads)), reshape(head, [1, heads])), size(width)), reshape(columnOf, [own, 1])),
      size(dimMultiply(prefix, heads)),
    );
    const ownSpread = flat(spreadOwn, dimMultiply(dimMultiply(rows, heads), width));
    const ownBack = flat(backOwn, dimMultiply(own, heads));
    if (prefix === 0) return { spread: ownSpread, back: ownBack };
    const sharedSpread = add(mul(reshape(range(prefix), [1, prefix]), i64(heads)), reshape(head, [heads, 1]));
    const sharedBack = add(mul(reshape(head, [1, heads]), size(prefix)), reshape(range(prefix), [prefix, 1]));
    const n = dimMultiply(prefix, heads);
    return {
      spread: concat([flat(sharedSpread, n), ownSpread], 0),
      back: concat([flat(sharedBack, n), ownBack], 0),
    };
  });
  return {
    apart: (x, heads) => {
      const size1 = dimDivide(x.shape[1] as Dim, heads);
      const { spread, back } = indices(heads);
      const all = takeRows(reshape(x, [dimMultiply(tokens, heads), size1]), spread, back);
      const cut = dimMultiply(prefix, heads);
      return {
        shared: prefix === 0 ? undefined : reshape(slice(all, 0, 0, cut), [1, heads, prefix, size1]),
        own: reshape(slice(all, 0, cut), [rows, heads, width, size1]),
      };
    },
    together: ({ shared, own: mine }) => {
      const [, heads, , size1] = mine.shape as [Dim, number, Dim, number];
      const flat = (x: Tensor): Tensor =>
        reshape(x, [dimMultiply(dimMultiply(x.shape[0] as Dim, heads), x.shape[2] as Dim), size1]);
      const rest = flat(mul(mine, kept));
      const all = shared ? concat([flat(shared), rest], 0) : rest;
      const { spread, back } = indices(heads);
      return reshape(takeRows(all, back, spread), [tokens, heads * size1]);
    },
  };
}

/** The asked tokens' lines of a mask: `[rows, 1, slots, keys]`. */
function askedRows(
  mask: Tensor,
  { rows, suffix, prefix = 0, branches }: CausalLayoutSizes,
  packing: Packing,
  asked: Asked,
): Tensor {
  const slots = asked.slots.shape[1] as Dim;
  const keys = dimAdd(prefix, suffix);
  const column = gather(gather(packing.columns, sub(asked.tokens, size(prefix))), asked.slots);
  if (!branches) return reshape(gather(mask, column), [rows, 1, slots, keys]);
  const line = add(mul(reshape(range(rows), [rows, 1]), size(suffix)), column);
  return reshape(gather(reshape(mask, [dimMultiply(rows, suffix), keys]), line), [rows, 1, slots, keys]);
}

/** What all layers share is built once for each value asked for. */
function once<K, V>(build: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) made.set(key, (value = build(key)));
    return value;
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
