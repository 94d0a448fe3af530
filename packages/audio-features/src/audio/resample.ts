/**
 * @file Any sample rate to any other: a polyphase filter bank (Crochiere and Rabiner 1983, ch. 4) of Kaiser-windowed sincs.
 * Linear phase without delay: output k lies at the time k / to. Blocks of any size give the same bits as all at once.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { kaiserBeta, kaiserTaps, windowedSinc } from "./kaiser.ts";
import { createPolyphaseKernel } from "./_polyphase-kernel.ts";

/** The filter of {@link createResampler}; the defaults match soxr's high quality. */
export interface ResampleOptions {
  /** End of the pass band as a share of the lower Nyquist frequency; the stop band begins at 1. */
  readonly passband?: number;
  /** How far aliases and images are down, in dB. */
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
/** Rows for each zero crossing of the sinc: blending two of them is wrong by (pi / 2048)^2 / 8, -130 dB. */
const FINE_ROWS = 2048;
/** Inputs and outputs worked on at a time. */
const INPUT_BLOCK = 16_384;
const OUTPUT_BLOCK = 1 << 20;

const banks = new Map<string, FilterBank>();

function filterBank(from: number, to: number, passband: number, attenuation: number): FilterBank {
  const key = `${from}/${to}/${passband}/${attenuation}`;
  const known = banks.get(key);
  if (known) return known;
  const lower = Math.min(1, to / from) / 2;
  const width = (1 - passband) * lower;
  // Rows of a multiple of 8 taps suit the kernel.
  const taps = Math.ceil(kaiserTaps(attenuation, width) / 8) * 8;
  if (taps > MAX_TABLE) throw new EmosllmError("usage", `from ${from} to ${to} Hz needs a filter of ${taps} taps`);
  const exact = to / gcd(from, to);
  const interpolated = exact * taps > MAX_TABLE;
  const rows = interpolated ? Math.max(16, Math.ceil(FINE_ROWS * lower * 2)) : exact;
  const response = windowedSinc(((1 + passband) / 2) * lower, taps / 2, kaiserBeta(attenuation));
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
  const { passband = 0.9125, attenuation = 120 } = options;
  assertRate(from, "input");
  assertRate(to, "output");
  if (!(passband > 0 && passband < 1)) throw new EmosllmError("usage", `passband ${passband} is not between 0 and 1`);
  if (!(attenuation >= 50 && attenuation <= 160))
    throw new EmosllmError("usage", `attenuation ${attenuation} dB is not between 50 and 160`);
  if (from === to) return { push: (block) => block.slice(), flush: () => new Float32Array(0) };

  const bank = filterBank(from, to, passband, attenuation);
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
