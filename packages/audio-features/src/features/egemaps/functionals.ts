/** @file The 88 functionals of eGeMAPS over the low-level descriptors (Eyben et al., 2016, section 4). */
import type { Samples } from "../spectra.ts";
import { rawDescriptors, smoothNonZero, smoothedDescriptors, type RawDescriptors } from "./descriptors.ts";

/** Name and value of each functional, in the reference implementation's order. */
export type EgemapsFunctionals = ReadonlyMap<string, number>;

const nonZero = (values: Float64Array): Float64Array => values.filter((v) => v !== 0);

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length > 0 ? sum / values.length : 0;
}

function deviation(values: ArrayLike<number>): number {
  const m = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - m) ** 2;
  return values.length > 0 ? Math.sqrt(sum / values.length) : 0;
}

/** Standard deviation over mean: the coefficient of variation. */
function variation(values: ArrayLike<number>): number {
  const m = mean(values);
  return m === 0 ? 0 : deviation(values) / m;
}

/** Linear interpolation between order statistics of `sorted`. */
function percentile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return 0;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}

/** Share of the range that a contour must move back by before an extremum counts. */
const TURN = 0.1;

interface Extremum {
  readonly at: number;
  readonly peak: boolean;
}

/** Peaks and valleys of a contour, alternating; ripples below a tenth of its range do not count. */
export function extrema(values: Float64Array): Extremum[] {
  let top = -Infinity;
  let bottom = Infinity;
  for (const v of values) {
    top = Math.max(top, v);
    bottom = Math.min(bottom, v);
  }
  const turn = TURN * (top - bottom);
  const out: Extremum[] = [];
  let high = 0;
  let low = 0;
  // 1: rising, a peak comes next; -1: falling; 0: not known yet
  let direction = 0;
  for (let i = 1; i < values.length; i++) {
    if (direction >= 0) {
      if (values[i]! > values[high]!) high = i;
      if (values[high]! - values[i]! > turn) {
        out.push({ at: high, peak: true });
        direction = -1;
        low = i;
        continue;
      }
    }
    if (direction <= 0) {
      if (values[i]! < values[low]!) low = i;
      if (values[i]! - values[low]! > turn) {
        out.push({ at: low, peak: false });
        direction = 1;
        high = i;
      }
    }
  }
  return out;
}

const HOP = 0.01;

/** The eight statistics that pitch and loudness get beyond mean and variation. */
function contour(name: string, values: Float64Array): [string, number][] {
  const sorted = Float64Array.from(values).sort();
  const [p20, p50, p80] = [percentile(sorted, 0.2), percentile(sorted, 0.5), percentile(sorted, 0.8)];
  const inner = extrema(values);
  // a contour also moves from its start to the first turn, and from the last one to its end
  const [start, end] = [inner[0], inner.at(-1)];
  const turns =
    start === undefined || end === undefined
      ? inner
      : [{ at: 0, peak: !start.peak }, ...inner, { at: values.length - 1, peak: !end.peak }];
  const slopes = (rising: boolean): number[] =>
    turns.flatMap(({ at, peak }, i) => {
      const before = turns[i - 1];
      if (before === undefined || peak !== rising || at === before.at) return [];
      return [Math.abs(values[at]! - values[before.at]!) / ((at - before.at) * HOP)];
    });
  const [rise, fall] = [slopes(true), slopes(false)];
  return [
    [`${name}_amean`, mean(values)],
    [`${name}_stddevNorm`, variation(values)],
    [`${name}_percentile20.0`, p20],
    [`${name}_percentile50.0`, p50],
    [`${name}_percentile80.0`, p80],
    [`${name}_pctlrange0-2`, p80 - p20],
    [`${name}_meanRisingSlope`, mean(rise)],
    [`${name}_stddevRisingSlope`, deviation(rise)],
    [`${name}_meanFallingSlope`, mean(fall)],
    [`${name}_stddevFallingSlope`, deviation(fall)],
  ];
}

const meanAndVariation = (name: string, values: Float64Array): [string, number][] => [
  [`${name}_amean`, mean(values)],
  [`${name}_stddevNorm`, variation(values)],
];

/** Lengths, in frames, of runs of voiced and of unvoiced frames; a single voiced frame does not interrupt a pause. */
export function voicedRuns(f0: Float64Array): { voiced: number[]; unvoiced: number[] } {
  const flags = Array.from(f0, (hz) => hz > 0);
  const steady = flags.map((v, t) => v && ((flags[t - 1] ?? false) || (flags[t + 1] ?? false)));
  const runs = { voiced: [] as number[], unvoiced: [] as number[] };
  for (let t = 0; t < steady.length;) {
    let end = t;
    while (end < steady.length && steady[end] === steady[t]) end++;
    runs[steady[t] === true ? "voiced" : "unvoiced"].push(end - t);
    t = end;
  }
  return runs;
}

/** The functionals of descriptors that are already there. */
export function functionalsOf(raw: RawDescriptors, samples: Samples): EgemapsFunctionals {
  const lld = smoothedDescriptors(raw);
  const of = (name: string): Float64Array => lld.get(name)!;
  const { frames, f0 } = raw.pitch;
  const { spectral } = raw;
  /** `values` where voicing is as asked, smoothed within such stretches. */
  const masked = (values: Float64Array, voiced: boolean): Float64Array =>
    nonZero(smoothNonZero(values.subarray(0, frames).map((v, t) => (f0[t]! > 0 === voiced ? v : 0))));

  const spectralSets = [
    ["alphaRatio", spectral.alphaRatio],
    ["hammarbergIndex", spectral.hammarbergIndex],
    ["slope", spectral.slope0to500],
    ["slope", spectral.slope500to1500],
    ["spectralFlux", spectral.spectralFlux],
    ...spectral.mfcc.map((values, k) => [`mfcc${k + 1}`, values] as const),
  ] as const;
  const suffixes = ["", "", "0-500", "500-1500", "", "", "", "", ""];

  const out: [string, number][] = [
    ...contour("F0semitoneFrom27.5Hz_sma3nz", nonZero(of("F0semitoneFrom27.5Hz_sma3nz"))),
    ...contour("loudness_sma3", of("Loudness_sma3")),
  ];
  for (const name of ["spectralFlux_sma3", "mfcc1_sma3", "mfcc2_sma3", "mfcc3_sma3", "mfcc4_sma3"])
    out.push(...meanAndVariation(name, of(name)));
  const voice = ["jitterLocal", "shimmerLocaldB", "HNRdBACF", "logRelF0-H1-H2", "logRelF0-H1-A3"];
  for (const name of voice) out.push(...meanAndVariation(`${name}_sma3nz`, nonZero(of(`${name}_sma3nz`))));
  for (const f of [1, 2, 3] as const) {
    out.push(...meanAndVariation(`F${f}frequency_sma3nz`, masked(raw.formants.frequency[f - 1]!, true)));
    out.push(...meanAndVariation(`F${f}bandwidth_sma3nz`, masked(raw.formants.bandwidth[f - 1]!, true)));
    const amplitude = `F${f}amplitudeLogRelF0_sma3nz`;
    out.push(...meanAndVariation(amplitude, nonZero(of(amplitude))));
  }
  spectralSets.forEach(([name, values], i) => {
    out.push(...meanAndVariation(`${name}V${suffixes[i]}_sma3nz`, masked(values, true)));
  });
  spectralSets.slice(0, 5).forEach(([name, values], i) => {
    out.push([`${name}UV${suffixes[i]}_sma3nz_amean`, mean(masked(values, false))]);
  });

  const loudness = of("Loudness_sma3");
  const runs = voicedRuns(f0.subarray(0, Math.max(1, frames - 1)));
  const seconds = Math.max(1, frames - 1) * HOP;
  const lengths = (run: readonly number[]): number[] => run.map((n) => (n - 1) * HOP);
  let energy = 0;
  for (let i = 0; i < samples.length; i++) energy += samples[i]! * samples[i]!;
  out.push(
    ["loudnessPeaksPerSec", extrema(loudness).filter(({ peak }) => peak).length / (loudness.length * HOP)],
    ["VoicedSegmentsPerSec", runs.voiced.length / seconds],
    ["MeanVoicedSegmentLengthSec", mean(lengths(runs.voiced))],
    ["StddevVoicedSegmentLengthSec", deviation(lengths(runs.voiced))],
    ["MeanUnvoicedSegmentLength", mean(lengths(runs.unvoiced))],
    ["StddevUnvoicedSegmentLength", deviation(lengths(runs.unvoiced))],
    ["equivalentSoundLevel_dBp", 10 * Math.log10(energy / samples.length + 1e-20)],
  );
  return new Map(out);
}

/**
 * The 88 functionals of a mono clip, by name.
 * @throws RangeError for no samples, samples that are not finite, a rate below 8 kHz.
 */
export function egemaps(samples: Samples, sampleRate: number): EgemapsFunctionals {
  return functionalsOf(rawDescriptors(samples, sampleRate), samples);
}
