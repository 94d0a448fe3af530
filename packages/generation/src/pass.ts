/** @file One pass of tokens through the program of `cachedGraph`: from rows of tokens to the feeds that the graph has. */
import { EmosllmError } from "@emosllm/interfaces";
import { type HostTensor, type Program, f32, feedsOf, i64 } from "@emosllm/runtime";
import { type CacheShape, type KvCache, cacheFeeds, emptyCache } from "./cache.ts";
import type { Token } from "./tokens.ts";

/** What is trained on top of a checkpoint, by the names of the inputs that the graph has for it. */
export type Parameters = Readonly<Record<string, HostTensor>>;

/** Values of the graph's own i64 inputs by row, by name: every token of a row is fed its row's. */
export type RowInputs = Readonly<Record<string, readonly number[]>>;

/** A token whose successor is asked for. */
export interface Label {
  readonly row: number;
  /** Place in the row's tokens. */
  readonly at: number;
  readonly id: number;
}

/** Rows of tokens that go through the model at once, after what is in the cache. */
export interface Pass {
  readonly past: KvCache | undefined;
  readonly visible?: number;
  /** Rows of the past; each is continued by `rows.length / groups` rows. */
  readonly groups: number;
  readonly rows: readonly (readonly Token[])[];
  /** Position of each row's first token. */
  readonly start: readonly number[];
  readonly reach: readonly number[];
  readonly positions?: readonly (readonly number[])[];
  readonly segments?: readonly (readonly number[])[];
  readonly labels: readonly Label[];
  readonly parameters: Parameters;
  readonly rowInputs: RowInputs;
  readonly outputs: readonly ("logits" | "scores" | "cache")[];
}

/** Lays passes out for the program and runs them. Throws RangeError for a token id that the model does not know. */
export function passesOver(
  program: Program,
  shape: CacheShape,
  hiddenSize: number,
): (pass: Pass) => Promise<Record<string, HostTensor>> {
  const cacheOutputs = program.outputs.map((p) => p.name).filter((name) => /^(key|value)\.\d+$/.test(name));
  return async ({
    past,
    visible,
    groups,
    rows,
    start,
    reach,
    positions,
    segments,
    labels,
    parameters,
    rowInputs,
    outputs,
  }) => {
    const suffix = Math.max(...rows.map((r) => r.length));
    const size = [groups, rows.length / groups, suffix];
    const tokens = rows.flatMap((row, r) => row.map((token, i) => ({ token, r, i })));
    const first: number[] = [];
    rows.reduce((at, row, r) => (first[r] = at) + row.length, 0);
    const byToken = (value: (t: (typeof tokens)[number]) => number): HostTensor => i64(tokens.map(value));
    const byPlace = (value: (row: number, at: number) => number): HostTensor =>
      i64(
        Array.from({ length: rows.length * suffix }, (_, p) => value(Math.floor(p / suffix), p % suffix)),
        size,
      );
    const vectors: Float32Array[] = [];
    const index = byToken(({ token }) => (typeof token === "number" ? -1 : vectors.push(token) - 1));
    const standIns = new Float32Array(Math.max(1, vectors.length) * hiddenSize);
    vectors.forEach((v, i) => standIns.set(v, i * hiddenSize));
    const labelOf = byPlace(() => 0);
    labels.forEach(({ row, at }, i) => ((labelOf.data as BigInt64Array)[row * suffix + at] = BigInt(i)));
    const feeds: Record<string, HostTensor> = {
      ids: byToken(({ token }) => (typeof token === "number" ? token : 0)),
      vector_index: index,
      vectors: f32(standIns, [standIns.length / hiddenSize, hiddenSize]),
      positions: byToken(({ r, i }) => positions?.[r]?.[i] ?? (start[r] as number) + i),
      segments: byToken(({ r, i }) => segments?.[r]?.[i] ?? 0),
      place_of: byToken(({ r, i }) => r * suffix + i),
      token_of: byPlace((r, i) => (first[r] as number) + Math.min(i, (rows[r] as readonly Token[]).length - 1)),
      reach: i64(reach, size.slice(0, 2)),
      label_of: labelOf,
      label_places: i64(labels.map(({ row, at }) => (first[row] as number) + at)),
      label_ids: i64(labels.map((l) => l.id)),
      ...cacheFeeds(past ?? emptyCache(shape, groups, 0), visible),
      ...Object.fromEntries(
        Object.entries(rowInputs).map(([name, values]) => [name, byToken(({ r }) => values[r] as number)]),
      ),
      ...parameters,
    };
    try {
      return await program.run(feedsOf(program, feeds), {
        only: outputs.flatMap((o) => (o === "cache" ? cacheOutputs : [o])),
      });
    } catch (cause) {
      if (cause instanceof EmosllmError && /indices element out of data bounds/.test(cause.message))
        throw new RangeError(`a token id is not in the model's vocabulary`, { cause });
      throw cause;
    }
  };
}
