/**
 * @file How tokens lie when keys and values of earlier ones are kept. A cache has `groups` rows; each is continued by `each` rows (the
 * same prompt before several texts; 1 when every row has its own past), and each of those by `suffix` new tokens, padded on the right.
 * One graph thus serves a shared prompt, the prompts after it, several answers after one prompt, and decoding token by token.
 */
import {
  type Dim,
  type Tensor,
  add,
  and,
  concat,
  dimAdd,
  dimMultiply,
  dimProduct,
  equal,
  expand,
  input,
  less,
  lessEqual,
  matmul,
  mul,
  or,
  range,
  reshape,
  scalar,
  slice,
  softmax,
  sub,
  tanh,
  transpose,
  where,
} from "@emosllm/graph";
import type { AttentionSpec, TokenLayout } from "./layout.ts";

const [GROUPS, EACH, SUFFIX, PAST] = ["groups", "each", "suffix", "past"] as const;

/** Position of an empty slot of the cache: after every token, so that none sees it. */
export const EMPTY_SLOT: number = 2 ** 40;

/** A {@link TokenLayout} that reads a cache and says what is to be added to it. */
export interface CachedLayout extends TokenLayout {
  /**
   * New keys and values of the layers that were built so far, `[groups, keyValueHeads, each, suffix, headDim]`.
   * The cache that is fed, `past_key.N` and `past_value.N`, is `[groups, keyValueHeads, past, headDim]`: each head's slots in a row, so
   * that attention reads it as it lies, and empty slots at the end cost a mask instead of a copy of everything at every token.
   */
  readonly added: readonly { readonly key: Tensor; readonly value: Tensor }[];
}

/**
 * The layout over these inputs: `positions` and `segments` (as `Branches`) i64 `[groups, each, suffix]`; `past_positions` i64 `[groups, past]`,
 * {@link EMPTY_SLOT} where nothing is; `reach` i64 `[groups, each]`, the last position that a row's text has so far. There is at least one slot.
 */
export function cachedLayout(): CachedLayout {
  const rows: readonly Dim[] = [GROUPS, EACH, SUFFIX];
  const tokens = dimProduct(rows);
  const positions = input("positions", rows, "i64");
  const segments = input("segments", rows, "i64");
  const pastPositions = input("past_positions", [GROUPS, PAST], "i64");
  const reach = expand(reshape(input("reach", [GROUPS, EACH], "i64"), [GROUPS, EACH, 1]), rows);
  const added: { key: Tensor; value: Tensor }[] = [];
  const masks = new Map<number | undefined, Tensor>();

  /** Added to the scores, `[groups, 1, each, 1, suffix, past + suffix]`. */
  const mask = (window: number | undefined): Tensor => {
    const known = masks.get(window);
    if (known) return known;
    const column = (t: Tensor): Tensor => reshape(t, [GROUPS, 1, EACH, 1, SUFFIX, 1]);
    const row = (t: Tensor): Tensor => reshape(t, [GROUPS, 1, EACH, 1, 1, SUFFIX]);
    const near = (seen: Tensor, to: Tensor): Tensor =>
      window === undefined ? seen : and(seen, less(sub(column(positions), to), scalar(window, "i64")));
    const before = reshape(pastPositions, [GROUPS, 1, 1, 1, 1, PAST]);
    const order = (shape: readonly Dim[]): Tensor => reshape(range(SUFFIX), shape);
    // Among the new tokens order decides, so that padding sees nothing new; positions only matter to a window.
    const earlier = lessEqual(order([1, 1, 1, 1, 1, SUFFIX]), order([1, 1, 1, 1, SUFFIX, 1]));
    const reachable = or(equal(row(segments), scalar(0, "i64")), equal(row(segments), column(segments)));
    const own = near(and(earlier, reachable), row(positions));
    const made = concat(
      [near(lessEqual(before, column(positions)), before), own].map((seen) => where(seen, 0, -1e30)),
      5,
    );
    masks.set(window, made);
    return made;
  };

  return {
    tokens,
    positions: reshape(positions, [tokens]),
    reach: reshape(reach, [tokens, 1]),
    added,
    attend(q, k, v, spec) {
      const { keyValueHeads: shared, headDim } = spec;
      const layer = added.length;
      const past = (name: string): Tensor => input(`past_${name}.${layer}`, [GROUPS, shared, PAST, headDim]);
      const own = (x: Tensor): Tensor =>
        transpose(reshape(x, [GROUPS, EACH, SUFFIX, shared, headDim]), [0, 3, 1, 2, 4]);
      const kept = { key: past("key"), value: past("value") };
      const fresh = { key: own(k), value: own(v) };
      added.push(fresh);
      return attention(q, kept, fresh, mask(spec.window), spec);
    },
  };
}

/** Scores against the cache and against the new tokens are two products, so that the cache is never copied. */
function attention(
  q: Tensor,
  past: { readonly key: Tensor; readonly value: Tensor },
  own: { readonly key: Tensor; readonly value: Tensor },
  mask: Tensor,
  { heads, keyValueHeads, headDim, scale = headDim ** -0.5, softcap }: AttentionSpec,
): Tensor {
  const share = heads / keyValueHeads;
  const apart: readonly Dim[] = [GROUPS, keyValueHeads, EACH, share, SUFFIX];
  const together: readonly Dim[] = [GROUPS, keyValueHeads, dimProduct([EACH, share, SUFFIX])];
  const byRow: readonly Dim[] = [GROUPS, keyValueHeads, EACH, dimMultiply(share, SUFFIX)];
  const queries = transpose(reshape(q, [GROUPS, EACH, SUFFIX, keyValueHeads, share, headDim]), [0, 3, 1, 4, 2, 5]);
  const against = (shape: readonly Dim[], key: Tensor, keys: Dim): Tensor =>
    reshape(matmul(reshape(queries, [...shape, headDim]), key, { transB: true, alpha: scale }), [...apart, keys]);
  let scores = concat([against(together, past.key, PAST), against(byRow, own.key, SUFFIX)], 5);
  if (softcap !== undefined) scores = mul(tanh(mul(scores, 1 / softcap)), softcap);
  const weights = softmax(add(scores, mask));
  const mixed = (part: Tensor, shape: readonly Dim[], value: Tensor, keys: Dim): Tensor =>
    reshape(matmul(reshape(part, [...shape, keys]), value), [...apart, headDim]);
  const sum = add(
    mixed(slice(weights, 5, 0, PAST), together, past.value, PAST),
    mixed(slice(weights, 5, PAST, dimAdd(PAST, SUFFIX)), byRow, own.value, SUFFIX),
  );
  return reshape(transpose(sum, [0, 2, 4, 1, 3, 5]), [dimProduct([GROUPS, EACH, SUFFIX]), heads * headDim]);
}
