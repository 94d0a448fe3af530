/** @file The interval of a proportion. */

/** Wilson's score interval of a proportion, `z` standard deviations wide on each side; the proportion itself for z = 0. */
export function wilsonInterval(successes: number, n: number, z = 1.959963984540054): { low: number; high: number } {
  if (n === 0) return { low: 0, high: 1 };
  const p = successes / n;
  const centre = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  // Half and centre round apart: 1 - 1 must be 0.
  return { low: p === 0 ? 0 : centre - half, high: p === 1 ? 1 : centre + half };
}
