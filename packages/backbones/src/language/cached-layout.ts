/**
 * @file How tokens lie when keys and values of earlier ones are kept. A cache has `groups` rows; each is continued by `each` rows (the
 * same prompt before several texts; 1 when every row has its own past), and each of those by at most `suffix` new
 * tokens, padded on the right while they attend and nowhere else.
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
  gather,
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
import type { Attend, AttentionSpec, TokenLayout } from "./layout.ts";

const [TOKENS, GROUPS, EACH, SUFFIX, PAST] = ["tokens", "groups", "each", "suffix", "past"] as const;

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
 * The layout over these inputs, all i64. By token, without padding: `positions` and `segments` (as `Branches`) `[tokens]`, and `place_of` `[tokens]`, where it
 * stands in `groups * each * suffix` places. By place, `[groups, each, suffix]`: `token_of`, its token (in padding the row's last). Of the cache: `past_positions`
 * `[groups, past]`, {@link EMPTY_SLOT} where nothing is; there is at least one slot. Of each row, `[groups, each]`: `reach`, the last position
 * that its text has so far. Only the tokens `label_places` `[labels]` are asked for of the last layer; `label_of` `[groups, each, suffix]` says which
 * of them stands in a place (anything elsewhere).
 */
export function cachedLayout(): CachedLayout {
  const rows: readonly Dim[] = [GROUPS, EACH, SUFFIX];
  const byPlace = dimProduct(rows);
  const byToken = (name: string): Tensor => input(name, [TOKENS], "i64");
  const flat = (name: string): Tensor => reshape(input(name, rows, "i64"), [byPlace]);
  const [tokenOf, placeOf, labelOf] = [flat("token_of"), byToken("place_of"), flat("label_of")];
  const labelPlaces = input("label_places", ["labels"], "i64");
  const [positions, segments] = [byToken("positions"), byToken("segments")];
  const reach = expand(reshape(input("reach", [GROUPS, EACH], "i64"), [GROUPS, EACH, 1]), rows);
  const pastPositions = input("past_positions", [GROUPS, PAST], "i64");
  const added: { key: Tensor; value: Tensor }[] = [];
  const masks = new Map<number | undefined, Tensor>();

  /** Added to the scores, `[groups, 1, each, 1, suffix, past + suffix]`. */
  const mask = (window: number | undefined): Tensor => {
    const known = masks.get(window);
    if (known) return known;
    const column = (t: Tensor): Tensor => reshape(gather(t, tokenOf), [GROUPS, 1, EACH, 1, SUFFIX, 1]);
    const row = (t: Tensor): Tensor => reshape(gather(t, tokenOf), [GROUPS, 1, EACH, 1, 1, SUFFIX]);
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

  /** q by place, k and v by token -> by place. */
  const attend: Attend = (q, k, v, spec) => {
    const { keyValueHeads: shared, headDim } = spec;
    const layer = added.length;
    const past = (name: string): Tensor => input(`past_${name}.${layer}`, [GROUPS, shared, PAST, headDim]);
    const own = (x: Tensor): Tensor =>
      transpose(reshape(gather(x, tokenOf), [GROUPS, EACH, SUFFIX, shared, headDim]), [0, 3, 1, 2, 4]);
    const kept = { key: past("key"), value: past("value") };
    const fresh = { key: own(k), value: own(v) };
    added.push(fresh);
    return attention(q, kept, fresh, mask(spec.window), spec);
  };
  return {
    tokens: TOKENS,
    positions,
    reach: reshape(gather(reshape(reach, [byPlace]), placeOf), [TOKENS, 1]),
    added,
    attend: (q, k, v, spec) => gather(attend(gather(q, tokenOf), k, v, spec), placeOf),
    // Attention is little beside what else a layer does: it runs for all places, whatever stands for a query at those not asked for.
    asked: {
      places: labelPlaces,
      attend: (q, k, v, spec) => gather(attend(gather(q, labelOf), k, v, spec), gather(placeOf, labelPlaces)),
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
