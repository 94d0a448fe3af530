/** @file Loudness as EBU R128 and ITU-R BS.1770-4 define it: K-weighting, blocks of 400 ms, two gates. */
import { applyGain, gainTo } from "./level.ts";
import { assertSound, frameCount, type Sound } from "./sound.ts";

/** Second-order filter, a0 = 1. */
interface Biquad {
  readonly b: readonly [number, number, number];
  readonly a: readonly [number, number];
}

const BLOCK_SECONDS = 0.4;
/** Blocks overlap by three quarters. */
const HOPS = 4;
const ABSOLUTE_GATE = -70;
const RELATIVE_GATE = -10;
const OFFSET = -0.691;

/**
 * The two stages of K-weighting at any sample rate: the analogue prototypes whose bilinear transforms at 48 kHz are the
 * coefficients that BS.1770-4 prints (parameters as found by Brecht De Man, "Evaluation of implementations of the EBU R128
 * loudness measurement", 2018).
 */
export function kWeighting(sampleRate: number): readonly [Biquad, Biquad] {
  const shelf = { f: 1681.974450955533, gain: 3.999843853973347, q: 0.7071752369554196 };
  const k = Math.tan((Math.PI * shelf.f) / sampleRate);
  const vh = 10 ** (shelf.gain / 20);
  const vb = vh ** 0.4996667741545416;
  const a0 = 1 + k / shelf.q + k * k;
  const high = {
    b: [(vh + (vb * k) / shelf.q + k * k) / a0, (2 * (k * k - vh)) / a0, (vh - (vb * k) / shelf.q + k * k) / a0],
    a: [(2 * (k * k - 1)) / a0, (1 - k / shelf.q + k * k) / a0],
  } as const;
  const pass = { f: 38.13547087602444, q: 0.5003270373238773 };
  const p = Math.tan((Math.PI * pass.f) / sampleRate);
  const c0 = 1 + p / pass.q + p * p;
  const low = { b: [1, -2, 1], a: [(2 * (p * p - 1)) / c0, (1 - p / pass.q + p * p) / c0] } as const;
  return [high, low];
}

function filtered(samples: Float32Array | Float64Array, { b, a }: Biquad): Float64Array {
  const out = new Float64Array(samples.length);
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < out.length; i++) {
    const x = samples[i]!;
    const y = b[0] * x + s1;
    s1 = b[1] * x - a[0] * y + s2;
    s2 = b[2] * x - a[1] * y;
    out[i] = y;
  }
  return out;
}

/** 5.1 in the order of WAV: LFE does not count, the surrounds count 1.5 dB more. */
const weightOf = (channel: number, channels: number): number =>
  channels === 6 ? [1, 1, 1, 0, 1.41, 1.41][channel]! : channels === 5 && channel > 2 ? 1.41 : 1;

/**
 * Integrated loudness of `sound` in LUFS; -Infinity when nothing passes the gates. A sound shorter than one block of 400 ms
 * is taken as one block, which the standards do not define.
 * @throws EmosllmError as {@link assertSound}.
 */
export function integratedLoudness(sound: Sound): number {
  assertSound(sound);
  const { samples, sampleRate } = sound;
  const frames = frameCount(sound);
  const block = Math.min(frames, Math.round(BLOCK_SECONDS * sampleRate));
  const hop = (BLOCK_SECONDS * sampleRate) / HOPS;
  const count = block < frames ? Math.floor((frames - block) / hop) + 1 : Math.min(1, frames);
  const power = new Float64Array(count);
  samples.forEach((channel, c) => {
    const weight = weightOf(c, samples.length);
    if (weight === 0) return;
    const [high, low] = kWeighting(sampleRate);
    const weighted = filtered(filtered(channel, high), low);
    const sums = new Float64Array(frames + 1);
    for (let i = 0; i < frames; i++) sums[i + 1] = sums[i]! + weighted[i]! * weighted[i]!;
    for (let j = 0; j < count; j++) {
      const from = Math.round(j * hop);
      power[j]! += (weight * (sums[Math.min(frames, from + block)]! - sums[from]!)) / block;
    }
  });
  const loudness = (value: number): number => OFFSET + 10 * Math.log10(value);
  const mean = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const audible = power.filter((value) => loudness(value) > ABSOLUTE_GATE);
  if (audible.length === 0) return -Infinity;
  const threshold = loudness(mean(audible)) + RELATIVE_GATE;
  return loudness(mean(audible.filter((value) => loudness(value) > threshold)));
}

/** `sound` scaled to `target` LUFS (-23 is EBU R128's); peaks may then exceed full scale. */
export function normaliseLoudness(sound: Sound, target = -23): Sound {
  const gain = gainTo(integratedLoudness(sound), target, "loudness");
  return { ...sound, samples: sound.samples.map((channel) => applyGain(channel, gain)) };
}
