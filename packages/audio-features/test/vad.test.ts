import { describe, expect, test } from "vitest";
import { detectSpeech, type SpeechSegment } from "../src/index.ts";
import { seeded } from "./fixtures.ts";

const TRUTH: readonly (readonly [number, number])[] = [
  [0.7, 1.9],
  [2.6, 4.0],
  [5.0, 5.6],
  [6.3, 8.2],
];
const SECONDS = 9;

/** Voiced syllables at the known times, in white noise at `snr` dB. */
function speechLike(rate: number, snr: number): Float32Array {
  const random = seeded(rate + snr);
  const x = new Float32Array(rate * SECONDS);
  let phase = 0;
  let energy = 0;
  let count = 0;
  for (const [start, end] of TRUTH)
    for (let i = Math.round(start * rate); i < end * rate; i++) {
      const t = i / rate;
      phase += (2 * Math.PI * (150 + 30 * Math.sin(2 * t))) / rate;
      for (let k = 1; k < 12; k++) x[i]! += (0.2 * Math.sin(k * phase) * (0.55 + 0.45 * Math.sin(8 * Math.PI * t))) / k;
      energy += x[i]! ** 2;
      count++;
    }
  const scale = Math.sqrt((12 * energy) / count) * 10 ** (-snr / 20);
  return x.map((v) => v + scale * (random() - 0.5));
}

/** Share of 10 ms steps on which the truth and `segments` differ. */
function errorOf(segments: readonly SpeechSegment[]): number {
  let wrong = 0;
  for (let i = 0; i < SECONDS * 100; i++) {
    const t = (i + 0.5) / 100;
    const truth = TRUTH.some(([start, end]) => t >= start && t < end);
    const found = segments.some(({ start, end }) => t >= start && t < end);
    if (truth !== found) wrong++;
  }
  return wrong / (SECONDS * 100);
}

describe("speech of known times in noise", () => {
  // Below some 10 dB the syllables' soft beginnings and ends drown, which neither detector can help.
  test.each([
    ["energy", 40, 0.02],
    ["energy", 20, 0.03],
    ["energy", 10, 0.05],
    ["spectral", 20, 0.05],
    ["spectral", 10, 0.05],
    ["spectral", 5, 0.08],
    ["spectral", 0, 0.15],
  ] as const)("%s at %i dB", (method, snr, limit) => {
    for (const rate of [8000, 16000, 44100]) {
      const segments = detectSpeech(speechLike(rate, snr), rate, { method });
      expect(errorOf(segments), `${rate} Hz: ${JSON.stringify(segments)}`).toBeLessThan(limit);
    }
  });
});

test("segments are in order, apart, and as long as asked", () => {
  const x = speechLike(16000, 20);
  for (const { start, end } of detectSpeech(x, 16000, { minSpeech: 1 })) expect(end - start).toBeGreaterThanOrEqual(1);
  expect(detectSpeech(x, 16000, { minSpeech: 1 }).length).toBe(3);
  expect(detectSpeech(x, 16000, { minPause: 10 }).length).toBe(1);
  const padded = detectSpeech(x, 16000, { padding: 0.4 });
  padded.slice(1).forEach((s, i) => expect(s.start).toBeGreaterThan(padded[i]!.end));
});

test("silence, noise and clips shorter than a frame hold no speech", () => {
  const random = seeded(3);
  for (const method of ["energy", "spectral"] as const) {
    expect(detectSpeech(new Float32Array(16000), 16000, { method })).toEqual([]);
    expect(detectSpeech(new Float32Array(10), 16000, { method })).toEqual([]);
    expect(
      detectSpeech(
        new Float32Array(16000 * 3).map(() => random() - 0.5),
        16000,
        { method },
      ),
    ).toEqual([]);
  }
});
