/** @file Window functions, symmetric or periodic, in double precision. */

/** Names that {@link windowFunction} knows. */
export const WINDOWS = ["hann", "hamming", "blackman", "povey", "rectangular", "gauss"] as const;
/** One of {@link WINDOWS}. */
export type WindowName = (typeof WINDOWS)[number];

/** Options of {@link windowFunction}. */
export interface WindowOptions {
  /** A period of the function is `length` samples (for spectra) instead of `length - 1` (symmetric). Default true. */
  periodic?: boolean;
  /** Standard deviation of `gauss` relative to half the window. Default 0.4. */
  sigma?: number;
  /** The first coefficient of `blackman`'s generalisation (Kaldi). Default 0.42. */
  blackmanCoefficient?: number;
}

const SHAPES: { readonly [K in WindowName]: (phase: number, options: Required<WindowOptions>) => number } = {
  hann: (phase) => 0.5 - 0.5 * Math.cos(2 * Math.PI * phase),
  hamming: (phase) => 0.54 - 0.46 * Math.cos(2 * Math.PI * phase),
  blackman: (phase, { blackmanCoefficient: b }) =>
    b - 0.5 * Math.cos(2 * Math.PI * phase) + (0.5 - b) * Math.cos(4 * Math.PI * phase),
  // Kaldi's own: a Hann window raised to 0.85, so that it does not quite vanish near the ends
  povey: (phase) => (0.5 - 0.5 * Math.cos(2 * Math.PI * phase)) ** 0.85,
  rectangular: () => 1,
  gauss: (phase, { sigma }) => Math.exp(-0.5 * ((2 * phase - 1) / sigma) ** 2),
};

const known = new Map<string, Float64Array>();

/** {@link windowFunction}, made once for the same arguments; not to be written to. */
export function sharedWindow(name: WindowName, length: number, options: WindowOptions = {}): Float64Array {
  const key = JSON.stringify([name, length, options]);
  let window = known.get(key);
  if (window === undefined) {
    if (known.size >= 64) known.clear();
    known.set(key, (window = windowFunction(name, length, options)));
  }
  return window;
}

/**
 * The window `name` of `length` samples.
 * @throws RangeError for an unknown name or a length below 1.
 */
export function windowFunction(name: WindowName, length: number, options: WindowOptions = {}): Float64Array {
  const { periodic = true, sigma = 0.4, blackmanCoefficient = 0.42 } = options;
  const shape = SHAPES[name];
  if (shape === undefined) throw new RangeError(`unknown window ${String(name)}; known: ${WINDOWS.join(", ")}`);
  if (!Number.isInteger(length) || length < 1)
    throw new RangeError(`window length ${length} is not a positive integer`);
  const period = periodic ? length : Math.max(1, length - 1);
  return Float64Array.from({ length }, (_, n) =>
    length === 1 ? 1 : shape(n / period, { periodic, sigma, blackmanCoefficient }),
  );
}
