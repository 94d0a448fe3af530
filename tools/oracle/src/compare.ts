/** @file How far two arrays are apart, relative to the largest reference value. */

/** max |a - b| / max |b| over all places, or those where `keep` holds. NaN anywhere gives Infinity. */
export function relativeError(
  ours: ArrayLike<number>,
  reference: ArrayLike<number>,
  keep: (i: number) => boolean = () => true,
): number {
  if (ours.length !== reference.length) return Infinity;
  let largest = 0;
  let apart = 0;
  for (let i = 0; i < reference.length; i++) {
    largest = Math.max(largest, Math.abs(reference[i] as number));
    if (!keep(i)) continue;
    const d = Math.abs((ours[i] as number) - (reference[i] as number));
    apart = Number.isNaN(d) ? Infinity : Math.max(apart, d);
  }
  return largest === 0 ? apart : apart / largest;
}

/** Largest absolute value. */
export const largest = (a: ArrayLike<number>): number => {
  let m = 0;
  for (let i = 0; i < a.length; i++) m = Math.max(m, Math.abs(a[i] as number));
  return m;
};
