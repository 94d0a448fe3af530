/**
 * @file Planning batches whose rows share a prefix. The tokens that rows of a batch have in common at their start go through the model
 * once; each row then costs only its rest, padded to the longest: `prefix + rows x longest rest` positions. Audio counts as a difference, because its
 * vectors differ from row to row, so at most the ids before it are shared.
 */
import { EmosllmError } from "@emosllm/interfaces";

/** A row as a rendered prompt, with the answer that follows it, if any. */
export interface PrefixRow {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly answer?: readonly number[];
  /** Vectors between `before` and `after`. Default {@link PlanOptions.audioVectors} where the row has ids after, else 0. */
  readonly audioVectors?: number;
}

/** What a batch may hold. */
export interface PlanOptions {
  /** Positions of one batch at most: prefix and padded rests. */
  readonly tokenBudget: number;
  /** Rows of one batch at most. Default: no limit. */
  readonly maxRows?: number;
  /** Vectors of a row that does not say. Default 0. */
  readonly audioVectors?: number;
  /** What starting one more batch costs, in positions; a plan trades it against padding. Default 64. */
  readonly batchOverhead?: number;
}

/** Rows that run together. */
export interface PlannedBatch {
  /** Indices into the rows given. */
  readonly rows: readonly number[];
  /** How many leading ids they share. */
  readonly prefixLength: number;
  /** Positions of the longest rest. */
  readonly suffixLength: number;
  /** `prefixLength + rows.length * suffixLength`. */
  readonly tokens: number;
}

/** A plan, and what it saves against running each row whole and unpadded. */
export interface PrefixPlan {
  readonly batches: readonly PlannedBatch[];
  readonly tokens: number;
  readonly tokensUnshared: number;
}

/** How many leading ids all rows share, at most up to the audio, and short of a row's last position (something must be left to run). */
export function commonPrefixLength(rows: readonly PrefixRow[]): number {
  const [first] = rows;
  if (first === undefined) return 0;
  let length = Math.min(...rows.map(sharable));
  for (const row of rows) length = agreement(first.before, row.before, length);
  return length;
}

const sharable = (row: PrefixRow): number => {
  const rest = row.after.length + (row.answer?.length ?? 0) + (row.audioVectors ?? 0);
  return Math.max(0, rest > 0 ? row.before.length : row.before.length - 1);
};

function agreement(a: readonly number[], b: readonly number[], limit: number): number {
  const end = Math.min(a.length, b.length, limit);
  for (let i = 0; i < end; i++) if (a[i] !== b[i]) return i;
  return end;
}

/**
 * Groups rows into batches that share as much as they can within a token budget. Rows are sorted by their ids before the audio (so that
 * equal prompts stand together), then by length; of all ways to cut that order into batches, the cheapest is taken (dynamic programming).
 * The plan depends on the rows' content alone, apart from the order among equal rows.
 *
 * @throws EmosllmError `usage` where one row alone exceeds the budget, naming it.
 */
export function planSharedPrefix(rows: readonly PrefixRow[], options: PlanOptions): PrefixPlan {
  const { tokenBudget, maxRows = Infinity, audioVectors = 0, batchOverhead = 64 } = options;
  if (!(tokenBudget >= 1)) throw new EmosllmError("usage", `tokenBudget is ${tokenBudget}; expected at least 1`);
  if (!(maxRows >= 1)) throw new EmosllmError("usage", `maxRows is ${maxRows}; expected at least 1`);
  const full = rows.map((row) => ({
    ...row,
    audioVectors: row.audioVectors ?? (row.after.length > 0 ? audioVectors : 0),
  }));
  const totals = full.map((row) => row.before.length + row.audioVectors + row.after.length + (row.answer?.length ?? 0));
  const tooLong = totals.findIndex((total) => total > tokenBudget);
  if (tooLong >= 0)
    throw new EmosllmError(
      "usage",
      `row ${tooLong} has ${totals[tooLong]} positions, more than the budget of ${tokenBudget} for a whole batch`,
    );
  const row = (i: number) => full[i] as (typeof full)[number];
  const order = rows
    .map((_, i) => i)
    .sort((a, b) => compareIds(row(a).before, row(b).before) || (totals[a] ?? 0) - (totals[b] ?? 0) || a - b);

  // best[i]: the cheapest way to batch the first i rows of the order, and the batch that ends it.
  const best: { cost: number; batch?: PlannedBatch }[] = [{ cost: 0 }];
  order.forEach((_, last) => {
    let found: { cost: number; batch?: PlannedBatch } = { cost: Infinity };
    let prefix = Infinity;
    let longest = 0;
    for (let first = last; first >= 0 && last - first < maxRows; first--) {
      const index = order[first] ?? 0;
      // In sorted order, what a range shares is what its neighbours share.
      const next = first < last ? row(order[first + 1] ?? 0).before : row(index).before;
      prefix = agreement(row(index).before, next, Math.min(prefix, sharable(row(index))));
      longest = Math.max(longest, totals[index] ?? 0);
      const count = last - first + 1;
      const tokens = prefix + count * (longest - prefix);
      // Looking further back only shortens the prefix and lengthens the rest.
      if (tokens > tokenBudget) break;
      const cost = (best[first]?.cost ?? Infinity) + tokens + batchOverhead;
      if (cost < found.cost)
        found = {
          cost,
          batch: { rows: order.slice(first, last + 1), prefixLength: prefix, suffixLength: longest - prefix, tokens },
        };
    }
    best.push(found);
  });
  const batches: PlannedBatch[] = [];
  for (let end = order.length; end > 0;) {
    const batch = best[end]?.batch;
    if (batch === undefined) throw new Error("internal: a row has no batch");
    batches.push(batch);
    end -= batch.rows.length;
  }
  batches.reverse();
  return {
    batches,
    tokens: batches.reduce((total, batch) => total + batch.tokens, 0),
    tokensUnshared: totals.reduce((a, b) => a + b, 0),
  };
}

function compareIds(a: readonly number[], b: readonly number[]): number {
  const at = agreement(a, b, Infinity);
  return at < Math.min(a.length, b.length) ? (a[at] ?? 0) - (b[at] ?? 0) : a.length - b.length;
}
