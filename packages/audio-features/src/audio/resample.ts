/**
 * @file Any sample rate to any other: a polyphase filter bank (Crochiere and Rabiner 1983, ch. 4) of Kaiser-windowed sincs.
 * Linear phase without delay: output k lies at the time k / to. Blocks of any size give the same bits as all at once.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { kaiserBeta, kaiserTaps, windowedSinc } from "./kaiser.ts";
import { createPolyphaseKernel } from "./_polyphase-kernel.ts";

/** The filter of {@link createResampler}; the defaults match soxr's high quality, which librosa and others resample with. */
export interface ResampleOptions {
  /**
   * `soxr` (default) lets 44.1 kHz and its multiples, 11.025 kHz and odd rates below 16 kHz fall by up to 0.01 dB towards the end of the pass band, as soxr's
   * high quality does there ("roll-off small"); `none` keeps the pass band flat to 0.00001 dB.
   */
  readonly rolloff?: "soxr" | "none";
  /** End of the pass band as a share of the lower Nyquist frequency (0.9137, soxr's); the stop band begins at 1. */
  readonly passband?: number;
  /** How far aliases and images are down, in dB (127, soxr's). */
  readonly attenuation?: number;
}

/** Resamples a signal that comes in blocks. */
export interface Resampler {
  /** Takes the next block and gives the samples that are now complete; the array is the caller's. */
  push(block: Float32Array): Float32Array;
  /** Gives the rest; the whole is then round(input * to / from) samples long. */
  flush(): Float32Array;
}

/** Rows of coefficients: output at phase p is the dot product of row p with `taps` inputs. */
interface FilterBank {
  readonly taps: number;
  /** Rows; equal to the number of exact phases unless `interpolated`. */
  readonly rows: number;
  readonly table: Float32Array;
  /** Set when exact phases would be too many: then rows lie on a fine grid (one extra at the end) and are blended. */
  readonly interpolated: boolean;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const MAX_TABLE = 4_000_000;
/** A table of more coefficients takes longer to make than blended rows cost. */
const MAX_EXACT_TABLE = 1_000_000;
/** Rows for each zero crossing of the sinc: blending two of them is wrong by (pi / 2048)^2 / 8, -130 dB. */
const FINE_ROWS = 2048;
/** Inputs and outputs worked on at a time. */
const INPUT_BLOCK = 16_384;
const OUTPUT_BLOCK = 1 << 20;

/**
 * soxr 1.1's HQ as measured by tones through its transition band: a Kaiser-windowed sinc, within 2e-7. Cutoff as a share of the
 * lower Nyquist frequency, half length in samples at the lower rate.
 */
const SOXR_HQ = { cutoff: 0.9568718, half: 97.25, beta: 13.04 } as const;

/** soxr's filter where it is a little longer or shorter: measured in the same way, within 4e-7. */
const SOXR_HQ_ODD = { ...SOXR_HQ, half: 102.2475, beta: 13.710522 } as const;
const SOXR_HQ_THREE_QUARTERS = { ...SOXR_HQ, half: 97.125 } as const;

/** Ratios that soxr reaches by doubling the rate first, then by a short filter with a roll-off of its own, as from 11.025 to 16 kHz. */
function doublesFirst(from: number, to: number): boolean {
  const up = to / gcd(from, to);
  return from < to && to < 2 * from && up > 100 && up % 2 === 0;
}

/** A Kaiser-windowed sinc whose times are multiples of `step`; units of the output's rate and sample. */
interface Rolloff {
  readonly cutoff: number;
  readonly half: number;
  readonly beta: number;
  readonly step: number;
}

/**
 * What soxr 1.1's HQ multiplies its response with on the way from 44.1 kHz (or that times a power of 2) to 16 kHz, fitted to measured
 * tones from 3.5 to 7.1 kHz within 5e-7.
 */
const ROLLOFF_44100: Rolloff = {
  cutoff: 19_893.525 / 16_000,
  half: (5.8125 / 44_100) * 16_000,
  beta: kaiserBeta(132.46),
  step: 16_000 / 44_100,
};

/** The same where it doubles the rate first, fitted to tones at 11.025 kHz from 2 to 5 kHz within 3e-7; units of the input's rate. */
const ROLLOFF_DOUBLED: Rolloff = { cutoff: 10_022.4726 / 11_025, half: 7.4879019 / 2, beta: 14.030614, step: 1 / 2 };

/** The roll-off that soxr has from `from` to `to`, if any. */
function soxrRolloff(from: number, to: number): Rolloff | undefined {
  const octave = Math.log2((from * 160) / (to * 441));
  if (Number.isInteger(octave) && octave >= -1) return ROLLOFF_44100;
  if (!doublesFirst(from, to)) return undefined;
  const { cutoff, half, beta, step } = ROLLOFF_DOUBLED;
  return { cutoff: (cutoff * from) / to, half: (half * to) / from, beta, step: (step * to) / from };
}

/**
 * `steep` (a function of time in input samples) convolved with soxr's roll-off. All times asked for are multiples of 1 / `rows`,
 * and so are the roll-off's steps: each value of `steep` is computed once and used for all of them.
 */
function withRolloff(
  steep: (t: number) => number,
  { cutoff, half, beta, step: seconds }: Rolloff,
  ratio: number,
  rows: number,
): (t: number) => number {
  const gentle = windowedSinc(cutoff, half, beta);
  const reach = Math.floor(half / seconds);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => gentle((i - reach) * seconds));
  const sum = weights.reduce((a, b) => a + b, 0);
  const step = Math.round(seconds * ratio * rows);
  const known: (number | undefined)[] = [];
  const at = (index: number): number => (known[Math.abs(index)] ??= steep(Math.abs(index) / rows));
  return (t) => {
    const index = Math.round(t * rows);
    let total = 0;
    for (let i = 0; i < weights.length; i++) total += weights[i]! * at(index - (i - reach) * step);
    return total / sum;
  };
}

const banks = new Map<string, FilterBank>();

/** Cutoff (share of the lower Nyquist frequency), half length (samples at the lower rate) and window of a filter. */
interface Prototype {
  readonly cutoff: number;
  readonly half: number;
  readonly beta: number;
}

function prototype(from: number, to: number, { passband, attenuation }: ResampleOptions): Prototype {
  if (passband === undefined && attenuation === undefined) {
    if (doublesFirst(from, to)) return SOXR_HQ_ODD;
    return 4 * from === 3 * to ? SOXR_HQ_THREE_QUARTERS : SOXR_HQ;
  }
  const [end, down] = [passband ?? 2 * SOXR_HQ.cutoff - 1, attenuation ?? 127];
  if (!(end > 0 && end < 1)) throw new EmosllmError("usage", `passband ${end} is not between 0 and 1`);
  if (!(down >= 50 && down <= 160)) throw new EmosllmError("usage", `attenuation ${down} dB is not between 50 and 160`);
  return { cutoff: (1 + end) / 2, half: kaiserTaps(down, (1 - end) / 2) / 2, beta: kaiserBeta(down) };
}

function filterBank(from: number, to: number, { cutoff, half, beta }: Prototype, rolloff?: Rolloff): FilterBank {
  const key = [from, to, cutoff, half, beta, rolloff?.cutoff].join("/");
  const known = banks.get(key);
  if (known) return known;
  // In input samples from here on.
  const lower = Math.min(1, to / from);
  const reach = (half + (rolloff?.half ?? 0)) / lower;
  // Rows of a multiple of 8 taps suit the kernel.
  const taps = Math.ceil((2 * reach) / 8) * 8;
  if (taps > MAX_TABLE) throw new EmosllmError("usage", `from ${from} to ${to} Hz needs a filter of ${taps} taps`);
  const exact = to / gcd(from, to);
  const interpolated = exact * taps > MAX_EXACT_TABLE;
  const rows = interpolated ? Math.max(16, Math.ceil(FINE_ROWS * lower)) : exact;
  const steep = windowedSinc((cutoff * lower) / 2, half / lower, beta);
  const response = rolloff ? withRolloff(steep, rolloff, from / to, rows) : steep;
  const table = new Float32Array((rows + (interpolated ? 1 : 0)) * taps);
  const row = new Float64Array(taps);
  for (let p = 0; p * taps < table.length; p++) {
    let sum = 0;
    for (let j = 0; j < taps; j++) sum += row[j] = response(p / rows + taps / 2 - 1 - j);
    for (let j = 0; j < taps; j++) table[p * taps + j] = row[j]! / sum;
  }
  const bank = { taps, rows, table, interpolated };
  if (banks.size >= 16) banks.delete(banks.keys().next().value!);
  banks.set(key, bank);
  return bank;
}

function assertRate(rate: number, name: "input" | "output"): void {
  if (!Number.isInteger(rate) || rate < 1 || rate > 10_000_000)
    throw new EmosllmError("usage", `${name} rate ${rate} Hz: a sample rate is a whole number from 1 to 10,000,000`);
}

/**
 * A resampler from `from` Hz to `to` Hz for one channel.
 * @throws EmosllmError `usage` for a rate that is not a positive whole number or a filter that cannot be.
 */
export function createResampler(from: number, to: number, options: ResampleOptions = {}): Resampler {
  const { rolloff = "soxr" } = options;
  assertRate(from, "input");
  assertRate(to, "output");
  const filter = prototype(from, to, options);
  if (from === to) return { push: (block) => block.slice(), flush: () => new Float32Array(0) };

  const bank = filterBank(from, to, filter, rolloff === "soxr" ? soxrRolloff(from, to) : undefined);
  const { taps, rows, table, interpolated } = bank;
  const divisor = gcd(from, to);
  const up = to / divisor;
  const down = from / divisor;
  const inputBlock = Math.max(1, Math.min(INPUT_BLOCK, Math.floor((OUTPUT_BLOCK * down) / up)));
  const outputBlock = Math.ceil(((inputBlock + taps) * up) / down) + 1;

  // Memory: the table (or one blended row), the input with its history, the output.
  const tableFloats = interpolated ? taps : table.length;
  const inputAt = tableFloats;
  const outputAt = inputAt + taps + inputBlock + 8;
  const { run, floats } = createPolyphaseKernel(outputAt + outputBlock);
  if (!interpolated) floats.set(table, 0);
  let held = taps / 2 - 1; // floats of input held, beginning with the zeros before the first sample
  let heldFrom = -held; // index of the first held sample
  let taken = 0;
  let made = 0;

  /** Makes every output whose inputs are all held, up to `limit` in total. */
  const drain = (limit: number): Float32Array => {
    // Output k needs inputs up to floor(k * down / up) + taps / 2.
    const lastInput = heldFrom + held - 1 - taps / 2;
    const complete = lastInput < 0 ? 0 : Math.floor(((lastInput + 1) * up - 1) / down) + 1;
    const count = Math.max(0, Math.min(limit, complete) - made);
    if (count > 0) {
      const position = made * down;
      const whole = Math.floor(position / up);
      const at = inputAt + whole - (taps / 2 - 1) - heldFrom;
      if (interpolated) blend(count);
      else run(at * 4, 0, outputAt * 4, count, taps * 4, position % up, up, Math.floor(down / up) * 4, down % up);
      made += count;
    }
    const next = Math.floor((made * down) / up) - (taps / 2 - 1);
    const drop = Math.min(held, Math.max(0, next - heldFrom));
    floats.copyWithin(inputAt, inputAt + drop, inputAt + held);
    held -= drop;
    heldFrom += drop;
    return floats.slice(outputAt, outputAt + count);
  };

  const blend = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const position = (made + i) * down;
      const whole = Math.floor(position / up);
      const fine = ((position - whole * up) / up) * rows;
      const p = Math.floor(fine);
      const share = fine - p;
      for (let j = 0; j < taps; j++) {
        const low = table[p * taps + j]!;
        floats[j] = low + share * (table[(p + 1) * taps + j]! - low);
      }
      const at = inputAt + whole - (taps / 2 - 1) - heldFrom;
      run(at * 4, 0, (outputAt + i) * 4, 1, taps * 4, 0, 1, 0, 0);
    }
  };

  const feed = (block: Float32Array, limit: number): Float32Array[] => {
    const parts: Float32Array[] = [];
    for (let at = 0; at < block.length;) {
      const part = block.subarray(at, at + Math.min(inputBlock, taps + inputBlock - held));
      floats.set(part, inputAt + held);
      held += part.length;
      at += part.length;
      parts.push(drain(limit));
    }
    return parts;
  };

  return {
    push: (block) => {
      taken += block.length;
      return joined(feed(block, Infinity));
    },
    flush: () => joined(feed(new Float32Array(taps / 2 + 1), Math.round((taken * up) / down))),
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** `samples` at `from` Hz as round(length * to / from) samples at `to` Hz. See {@link createResampler}. */
export function resample(samples: Float32Array, from: number, to: number, options: ResampleOptions = {}): Float32Array {
  const resampler = createResampler(from, to, options);
  const body = resampler.push(samples);
  return joined([body, resampler.flush()]);
}
