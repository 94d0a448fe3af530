/** @file Band limits: a linear-phase filter of Kaiser-windowed sincs without delay. */
import { EmosllmError } from "@emosllm/interfaces";
import { kaiserBeta, kaiserTaps, windowedSinc } from "../audio/kaiser.ts";
import { convolve } from "./convolve.ts";

/** What passes, in Hz; 6 dB down at the limits. */
export interface Band {
  readonly low?: number;
  readonly high?: number;
  /** Width of each transition, in Hz (100). */
  readonly transition?: number;
}

const ATTENUATION = 80;

/** `samples` without what lies below `low` and above `high` (80 dB down beyond the transitions). @throws EmosllmError `usage` */
export function limitBand(samples: Float32Array, sampleRate: number, band: Band): Float32Array {
  const { low = 0, high = sampleRate / 2, transition = 100 } = band;
  if (!(low >= 0 && high > low && transition > 0))
    throw new EmosllmError(
      "usage",
      `the band ${low} Hz to ${high} Hz with a transition of ${transition} Hz is empty or negative`,
    );
  const half = Math.ceil(kaiserTaps(ATTENUATION, transition / sampleRate) / 2);
  const beta = kaiserBeta(ATTENUATION);
  const upper = high >= sampleRate / 2 ? undefined : windowedSinc(high / sampleRate, half + 1, beta);
  const lower = low > 0 ? windowedSinc(low / sampleRate, half + 1, beta) : undefined;
  const response = Float64Array.from({ length: 2 * half + 1 }, (_, i) => {
    const t = i - half;
    return (upper ? upper(t) : t === 0 ? 1 : 0) - (lower ? lower(t) : 0);
  });
  return convolve(samples, response).slice(half, half + samples.length);
}
