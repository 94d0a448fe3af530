/** @file Subharmonic sums of four power spectra at a time (Hermes, Measurement of pitch by subharmonic summation, JASA 83, 1988). */
import { createKernel } from "../kernel.ts";
import { LANES } from "../spectra.ts";

const POINTS = 512;
const LOWEST_HZ = 20;
const HARMONICS = 15;
const COMPRESSION = 0.85;

/** Sums of one kind of spectrum; the arrays are valid until the next `run` of the same kind. */
export interface SubharmonicSums {
  /** Frequencies of the points, even on a log scale with `step` octaves between them. */
  readonly hz: Float64Array;
  readonly step: number;
  /** The first and the last point within the pitch range; `sum` is whole from one before to one after them. */
  readonly from: number;
  readonly to: number;
  /** `[points, LANES]`. */
  readonly sum: Float64Array;
  /** `[LANES]`: the whole sum over all points, added up. */
  readonly mean: Float64Array;
  /** Takes power spectra `[bins, LANES]`. */
  run(power: Float64Array): void;
}

/** Four-point cubic (Catmull-Rom) weights that read a spectrum of `bins` at `POINTS` frequencies, even on a log scale. */
function logAxis(bins: number, hzPerBin: number): { hz: Float64Array; at: Int32Array; weights: Float64Array } {
  const octaves = Math.log2(((bins - 1) * hzPerBin) / LOWEST_HZ);
  const hz = Float64Array.from({ length: POINTS }, (_, i) => LOWEST_HZ * 2 ** ((octaves * i) / (POINTS - 1)));
  const at = new Int32Array(POINTS);
  const weights = new Float64Array(4 * POINTS);
  hz.forEach((f, i) => {
    const k = Math.min(bins - 3, Math.max(1, Math.floor(f / hzPerBin)));
    const u = f / hzPerBin - k;
    at[i] = k - 1;
    weights.set(
      [
        (-u + 2 * u * u - u ** 3) / 2,
        (2 - 5 * u * u + 3 * u ** 3) / 2,
        (u + 4 * u * u - 3 * u ** 3) / 2,
        (-u * u + u ** 3) / 2,
      ],
      4 * i,
    );
  });
  return { hz, at, weights };
}

const known = new Map<string, SubharmonicSums>();

/** The shared sums of spectra with `bins` bins; pitch between `lowest` and `highest` Hz. */
export function subharmonicSums(bins: number, hzPerBin: number, lowest: number, highest: number): SubharmonicSums {
  const key = [bins, hzPerBin, lowest, highest].join(" ");
  const found = known.get(key);
  if (found !== undefined) return found;
  const { hz, at, weights } = logAxis(bins, hzPerBin);
  const step = Math.log2(hz[1]! / hz[0]!);
  const { f64, i32, run } = createKernel(8 * (LANES * (3 * bins + 2 * POINTS + 1) + 5 * POINTS + 2 * HARMONICS) + 1024);
  const power = f64(bins * LANES);
  const places = i32(POINTS);
  places.set(at);
  const four = f64(4 * POINTS);
  four.set(weights);
  const shifts = i32(HARMONICS);
  shifts.set(Array.from({ length: HARMONICS }, (_, n) => Math.round(Math.log2(n + 1) / step)));
  const gains = f64(HARMONICS);
  gains.set(Array.from({ length: HARMONICS }, (_, n) => COMPRESSION ** n));
  const [work, line, sum, mean] = [f64(2 * bins * LANES), f64(POINTS * LANES), f64(POINTS * LANES), f64(LANES)];
  const from = hz.findIndex((f) => f >= lowest);
  const to = hz.findLastIndex((f) => f <= highest);
  const made: SubharmonicSums = {
    hz,
    step,
    from,
    to,
    sum,
    mean,
    run: (spectra) => {
      power.set(spectra);
      run.subharmonics(
        power.byteOffset,
        bins,
        places.byteOffset,
        four.byteOffset,
        POINTS,
        shifts.byteOffset,
        gains.byteOffset,
        HARMONICS,
        from,
        to,
        work.byteOffset,
        line.byteOffset,
        sum.byteOffset,
        mean.byteOffset,
      );
    },
  };
  if (known.size >= 8) known.clear();
  known.set(key, made);
  return made;
}
