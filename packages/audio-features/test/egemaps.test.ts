/** @file eGeMAPS against the opensmile package (`tools/oracle/egemaps.py`), and against sounds whose truth is known. */
import { expect, test } from "vitest";
import { EGEMAPS_LLD_NAMES, egemapsLld } from "../src/features/egemaps/descriptors.ts";
import { egemaps } from "../src/features/egemaps/functionals.ts";
import { column } from "../src/features/feature-frames.ts";
import { readFixtures } from "./safetensors.ts";

const reference = readFixtures("egemaps.safetensors");
const signal = Float32Array.from(readFixtures("spectral.safetensors")("signal16k").data, (x) => x / 32768);
const RATE = 16000;

test("loudness, spectral balance, flux and MFCC are the reference's, frame by frame", () => {
  const ours = egemapsLld(signal, RATE);
  const theirs = reference("lld");
  const rows = Math.min(ours.frames, theirs.shape[0]!);
  expect(rows).toBeGreaterThan(70);
  expect([...ours.names]).toEqual([...EGEMAPS_LLD_NAMES]);
  const nearSilence = (t: number): boolean =>
    [-2, -1, 0, 1, 2].some((d) => theirs.data[Math.max(0, Math.min(rows - 1, t + d)) * 25]! < 0.02);
  for (let c = 0; c < 10; c++) {
    let scale = 0;
    let worst = 0;
    for (let t = 0; t < rows; t++) {
      // digital silence has no spectrum: there, and where smoothing reaches it, each implementation shows its own floor
      if (nearSilence(t)) continue;
      scale = Math.max(scale, Math.abs(theirs.data[t * 25 + c]!));
      worst = Math.max(worst, Math.abs(ours.data[t * 25 + c]! - theirs.data[t * 25 + c]!));
    }
    // the reference computes in single precision
    expect(worst / scale, EGEMAPS_LLD_NAMES[c]).toBeLessThan(1e-3);
  }
});

test("pitch and harmonics-to-noise ratio agree where both hear a voice", () => {
  const ours = egemapsLld(signal, RATE);
  const theirs = reference("lld");
  const [pitch, hnr] = [10, 13];
  let both = 0;
  let different = 0;
  const rows = Math.min(ours.frames, theirs.shape[0]!);
  for (let t = 0; t < rows; t++) {
    const [a, b] = [ours.data[t * 25 + pitch]!, theirs.data[t * 25 + pitch]!];
    if (a > 0 !== b > 0) different++;
    if (a === 0 || b === 0) continue;
    both++;
    // two interpolations of the same subharmonic sum
    expect(Math.abs(a - b)).toBeLessThan(0.4);
    expect(Math.abs(ours.data[t * 25 + hnr]! - theirs.data[t * 25 + hnr]!)).toBeLessThan(2);
  }
  expect(both).toBeGreaterThan(40);
  expect(different).toBeLessThanOrEqual(4);
});

test("there are 88 finite functionals, those of loudness close to the reference", () => {
  const ours = egemaps(signal, RATE);
  const theirs = reference("functionals").data;
  expect(ours.size).toBe(88);
  const names = [...ours.keys()];
  for (const value of ours.values()) expect(Number.isFinite(value)).toBe(true);
  for (const name of [
    "loudness_sma3_amean",
    "loudness_sma3_stddevNorm",
    "loudness_sma3_percentile80.0",
    "mfcc1_sma3_amean",
  ]) {
    // the reference leaves out one or two frames at the end of so short a clip
    expect(Math.abs(ours.get(name)! / theirs[names.indexOf(name)]! - 1), name).toBeLessThan(0.03);
  }
});

/** A vowel: pulses of exactly known times and heights through resonators. */
function vowel(
  formants: readonly (readonly [number, number])[],
  period: (i: number) => number,
  height: (i: number) => number = () => 1,
): Float32Array {
  const out = new Float64Array(RATE);
  for (let i = 0, at = 100; at < RATE - 2; at += period(i), i++) {
    const n = Math.floor(at);
    // a pulse between two samples
    out[n]! += height(i) * (1 - (at - n));
    out[n + 1]! += height(i) * (at - n);
  }
  for (const [f, b] of formants) {
    const r = Math.exp((-Math.PI * b) / RATE);
    const c = 2 * r * Math.cos((2 * Math.PI * f) / RATE);
    for (let i = 0; i < RATE; i++) out[i] = out[i]! + c * (out[i - 1] ?? 0) - r * r * (out[i - 2] ?? 0);
  }
  // the slope of a voice: minus 12 dB per octave from the glottis, plus 6 from the lips
  for (let i = 1; i < RATE; i++) out[i]! += 0.97 * out[i - 1]!;
  const peak = out.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  return Float32Array.from(out, (x) => (0.5 * x) / peak);
}

const median = (values: Float32Array): number => values.slice().sort()[values.length >> 1]!;

test.each([[[700, 1200, 2500]], [[300, 2300, 3000]], [[500, 1500, 2500]], [[350, 800, 2400]]])(
  "formants of a vowel made with %j",
  (truth) => {
    const formants = [...truth, 3500, 4500].map((f) => [f, 80] as const);
    const lld = egemapsLld(
      vowel(formants, () => 145.3),
      RATE,
    );
    // a harmonic every 110 Hz: the peak of the envelope is known to two fifths of that
    [1, 2, 3].forEach((f) =>
      expect(Math.abs(median(column(lld, `F${f}frequency_sma3nz`)) - truth[f - 1]!)).toBeLessThan(45),
    );
    [1, 2, 3].forEach((f) => expect(median(column(lld, `F${f}bandwidth_sma3nz`))).toBeLessThan(300));
  },
);

test("jitter and shimmer of pulses that alternate are their size", () => {
  const formants = [
    [700, 130],
    [1200, 150],
    [2500, 200],
  ] as const;
  for (const share of [0, 0.01, 0.02]) {
    const clip = vowel(formants, (i) => 128 * (1 + (i % 2 === 0 ? share / 2 : -share / 2)));
    expect(Math.abs(egemaps(clip, RATE).get("jitterLocal_sma3nz_amean")! - share)).toBeLessThan(0.2 * share + 0.001);
  }
  for (const db of [0, 1, 2]) {
    const clip = vowel(
      formants,
      () => 128,
      (i) => (i % 2 === 0 ? 1 : 10 ** (-db / 20)),
    );
    // the ringing of one period reaches into the next and evens the peaks out a little
    expect(Math.abs(egemaps(clip, RATE).get("shimmerLocaldB_sma3nz_amean")! - db)).toBeLessThan(0.3 * db + 0.05);
  }
});

test("silence, noise, one sample and bad input", () => {
  for (const clip of [
    new Float32Array(4000),
    new Float32Array(1),
    new Float32Array(8000).map((_, i) => ((i * 7919) % 101) / 101 - 0.5),
  ])
    for (const value of egemaps(clip, RATE).values()) expect(Number.isFinite(value)).toBe(true);
  expect(() => egemaps(new Float32Array(0), RATE)).toThrow("no samples");
  expect(() => egemaps(new Float32Array(9), 4000)).toThrow("at least 8000 Hz");
});
