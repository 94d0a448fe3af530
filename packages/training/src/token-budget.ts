/** @file Splits a batch so that each part fits a budget of tokens: what a batch takes is its rows times its longest row. */

/**
 * Parts of `rows`, each of at most `budget` tokens when padded to its longest row; a row that is longer than the budget alone is a part of
 * its own. Longest rows first, so that those of like length stay together; the same rows give the same parts. Throws RangeError for a
 * budget below 1.
 */
export function withinTokens<T>(rows: readonly T[], budget: number, length: (row: T) => number): T[][] {
  if (!(budget >= 1)) throw new RangeError(`withinTokens: a budget of ${budget} tokens; it must be at least 1`);
  const parts: T[][] = [];
  for (const row of rows.toSorted((a, b) => length(b) - length(a))) {
    const last = parts.at(-1);
    if (last && (last.length + 1) * length(last[0] as T) <= budget) last.push(row);
    else parts.push([row]);
  }
  return parts;
}
