/**
 * @file Finds the same sound under another name: gain, sample rate, codec, mild noise and trimming do not hide it.
 * After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): per frame 32 bits, the signs of energy
 * differences between neighbouring bands and frames; a shared 32-bit word proposes a pair and an offset, the share of
 * differing bits over the whole overlap decides. Differs in frame length and hop (0.2 s and 26 ms, for short clips).
 */
import { powerSpectrum } from "./fft.ts";

const RATE = 5000;
const WINDOW = 1024;
const HOP = 128;
const BANDS = 33;
/** Bits of a frame that are likeliest to flip; a search tries both values of each. */
const WEAK = 4;

/** Share of differing bits up to which two clips are the same: unrelated speech lies near one half. */
const MOST_DIFFERENT = 0.25;
/** For overlaps under {@link FEW_FRAMES} frames, where chance has more room. */
const MOST_DIFFERENT_SHORT = 0.18;
const FEW_FRAMES = 40;
/** The overlap must cover this much of the shorter clip. */
const LEAST_OVERLAP = 0.75;
const LEAST_FRAMES = 6;

/** 32 bits per frame; `weak` packs the numbers of the weakest bits; a silent frame has no bits to compare. */
export interface Fingerprint {
  bits: Uint32Array;
  weak: Uint32Array;
  silent: Uint8Array;
}

const edges: readonly number[] = Array.from({ length: BANDS + 1 }, (_, i) =>
  Math.round((200 * (2000 / 200) ** (i / BANDS) * WINDOW) / RATE),
);
const hann = Float32Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (WINDOW - 1)));
const spectrum = powerSpectrum(WINDOW);

/** The fingerprint of mono samples at `sampleRate` Hz. */
export function fingerprint(samples: Float32Array, sampleRate: number): Fingerprint {
  const low = lowRate(samples, sampleRate);
  const frames = Math.max(0, Math.floor((low.length - WINDOW) / HOP));
  const out: Fingerprint = {
    bits: new Uint32Array(frames),
    weak: new Uint32Array(frames),
    silent: new Uint8Array(frames),
  };
  const energies = new Float64Array((frames + 1) * BANDS);
  const totals = new Float64Array(frames + 1);
  const everything = new Float64Array(frames + 1);
  const frame = new Float32Array(WINDOW);
  const power = new Float32Array(WINDOW / 2);
  for (let n = 0; n <= frames && low.length >= WINDOW; n++) {
    for (let i = 0; i < WINDOW; i++) frame[i] = (low[n * HOP + i] as number) * (hann[i] as number);
    spectrum(frame, power);
    for (let b = 0; b < BANDS; b++) {
      let sum = 0;
      const to = Math.max((edges[b] as number) + 1, edges[b + 1] as number);
      for (let k = edges[b] as number; k < to; k++) sum += power[k] as number;
      energies[n * BANDS + b] = sum;
      totals[n] = (totals[n] as number) + sum;
    }
    for (const value of power) everything[n] = (everything[n] as number) + value;
  }
  const loudest = totals.reduce((a, b) => Math.max(a, b), 0);
  const differences = new Float64Array(32);
  for (let n = 0; n < frames; n++) {
    // Also nothing in the bands but what leaks in from below and above them (hum, an offset).
    const floor = Math.max(loudest * 1e-5, (everything[n + 1] as number) * 1e-6);
    out.silent[n] = (totals[n + 1] as number) <= floor ? 1 : 0;
    let bits = 0;
    const [now, before] = [(n + 1) * BANDS, n * BANDS];
    for (let b = 0; b < 32; b++) {
      const d =
        (energies[now + b] as number) -
        (energies[now + b + 1] as number) -
        (energies[before + b] as number) +
        (energies[before + b + 1] as number);
      if (d > 0) bits |= 1 << b;
      const scale =
        (energies[now + b] as number) +
        (energies[now + b + 1] as number) +
        (energies[before + b] as number) +
        (energies[before + b + 1] as number);
      differences[b] = Math.abs(d) / (scale + 1e-30);
    }
    out.bits[n] = bits >>> 0;
    out.weak[n] = weakest(differences);
  }
  return out;
}

function weakest(differences: Float64Array): number {
  let packed = 0;
  let taken = 0;
  for (let w = 0; w < WEAK; w++) {
    let best = 0;
    let least = Infinity;
    for (let b = 0; b < 32; b++)
      if (!((taken >>> b) & 1) && (differences[b] as number) < least) {
        least = differences[b] as number;
        best = b;
      }
    taken |= 1 << best;
    packed |= best << (5 * w);
  }
  return packed >>> 0;
}

/** Means of the samples that fall into each 1/5000 s: a cheap low-pass that is enough below 2 kHz. */
function lowRate(samples: Float32Array, sampleRate: number): Float32Array {
  const out = new Float32Array(Math.floor((samples.length * RATE) / sampleRate));
  for (let n = 0; n < out.length; n++) {
    const from = Math.floor((n * sampleRate) / RATE);
    const to = Math.max(from + 1, Math.floor(((n + 1) * sampleRate) / RATE));
    let sum = 0;
    for (let i = from; i < to; i++) sum += samples[i] ?? 0;
    out[n] = sum / (to - from);
  }
  return out;
}

function popcount(x: number): number {
  let v = x - ((x >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return (((v + (v >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

/** True when `b`, moved by `offset` frames, is the same sound as `a` over most of the shorter one. */
function same(a: Fingerprint, b: Fingerprint, offset: number): boolean {
  const from = Math.max(0, offset);
  const to = Math.min(a.bits.length, b.bits.length + offset);
  const shorter = Math.min(a.bits.length, b.bits.length);
  if (to - from < Math.max(LEAST_FRAMES, LEAST_OVERLAP * shorter)) return false;
  let different = 0;
  let compared = 0;
  for (let i = from; i < to; i++) {
    if (a.silent[i] === 1 && b.silent[i - offset] === 1) continue;
    different += popcount(((a.bits[i] as number) ^ (b.bits[i - offset] as number)) >>> 0);
    compared++;
  }
  if (compared < Math.max(LEAST_FRAMES, 0.5 * (to - from))) return false;
  return different <= 32 * compared * (compared < FEW_FRAMES ? MOST_DIFFERENT_SHORT : MOST_DIFFERENT);
}

/** Pairs of indices (first < second) of prints of the same sound. */
export function samePairs(prints: readonly Fingerprint[]): [number, number][] {
  const total = prints.reduce((n, p) => n + p.bits.length, 0);
  let size = 1024;
  while (size < total * 2) size *= 2;
  const head = new Int32Array(size).fill(-1);
  const next = new Int32Array(total);
  const word = new Uint32Array(total);
  const owner = new Int32Array(total);
  const place = new Int32Array(total);
  const slot = (bits: number): number => (Math.imul(bits, 0x9e3779b1) >>> 0) & (size - 1);
  const pairs: [number, number][] = [];
  const found = new Set<string>();
  let used = 0;
  for (const [index, print] of prints.entries()) {
    const tried = new Set<number>();
    const step = print.bits.length > 200 ? 3 : 1;
    for (let n = 0; n < print.bits.length; n += step) {
      if (print.silent[n]) continue;
      for (let flip = 0; flip < 1 << WEAK; flip++) {
        let bits = print.bits[n] as number;
        for (let w = 0; w < WEAK; w++) if ((flip >> w) & 1) bits ^= 1 << (((print.weak[n] as number) >>> (5 * w)) & 31);
        bits >>>= 0;
        let looked = 0;
        for (let e = head[slot(bits)] as number; e >= 0 && looked < 64; e = next[e] as number) {
          if (word[e] !== bits) continue;
          looked++;
          const other = owner[e] as number;
          const offset = (place[e] as number) - n;
          const key = other * 16384 + offset + 8192;
          if (tried.has(key)) continue;
          tried.add(key);
          const name = `${other} ${index}`;
          if (!found.has(name) && same(prints[other] as Fingerprint, print, offset)) {
            found.add(name);
            pairs.push([other, index]);
          }
        }
      }
    }
    for (let n = 0; n < print.bits.length; n++) {
      if (print.silent[n]) continue;
      const at = slot(print.bits[n] as number);
      word[used] = print.bits[n] as number;
      owner[used] = index;
      place[used] = n;
      next[used] = head[at] as number;
      head[at] = used++;
    }
  }
  return pairs;
}
