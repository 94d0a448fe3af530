import { expect, test } from "vitest";
import { trackF0 } from "./f0.ts";

const RATE = 16000;

/** Harmonics up to Nyquist under two resonances: a vowel whose pitch is exact and which does not alias. */
function vowel(hz: (seconds: number) => number, seconds: number, rate = RATE): Float32Array {
  const gain = (f: number): number =>
    1 / Math.hypot(1 - (f / 600) ** 2, f / 2000) + 0.5 / Math.hypot(1 - (f / 1400) ** 2, f / 3000);
  let phase = 0;
  return new Float32Array(Math.round(seconds * rate)).map((_, i) => {
    const f0 = hz(i / rate);
    phase += f0 / rate;
    let x = 0;
    for (let h = 1; h * f0 < 0.45 * rate && h <= 30; h++) x += (gain(h * f0) / h) * Math.cos(2 * Math.PI * h * phase);
    return x / 20;
  });
}

// The parabola through three samples of the autocorrelation is a little off its peak: most for high pitch at low sample rates.
test.each([70, 95, 123.4, 210, 320, 440])("a steady vowel at %f Hz", (hz) => {
  for (const rate of [8000, 16000, 44100]) {
    const { f0, voicing } = trackF0(
      vowel(() => hz, 0.6, rate),
      rate,
    );
    const middle = [...f0.subarray(10, -10)];
    expect(middle.every((f) => Math.abs(f / hz - 1) < 0.01)).toBe(true);
    expect(Math.abs(middle.reduce((a, b) => a + b, 0) / middle.length / hz - 1)).toBeLessThan(0.005);
    expect(voicing.subarray(10, -10).every((p) => p > 0.5)).toBe(true);
  }
});

test("a glide over an octave and a half is followed", () => {
  const hz = (s: number): number => 90 * 2 ** (1.5 * s);
  const { f0 } = trackF0(vowel(hz, 1), RATE);
  for (let t = 5; t < 95; t++) expect(Math.abs(f0[t]! / hz(t / 100) - 1)).toBeLessThan(0.04);
});

test("noise and silence are unvoiced", () => {
  let seed = 7;
  const noise = new Float32Array(RATE).map(() => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 32 - 0.5;
  });
  expect([...trackF0(noise, RATE).f0].filter((f) => f > 0).length).toBeLessThanOrEqual(3);
  const silent = trackF0(new Float32Array(RATE), RATE);
  expect(silent.f0.every((f) => f === 0)).toBe(true);
  expect(silent.voicing.every((p) => p < 0.01)).toBe(true);
});

test("bad input is named", () => {
  expect(() => trackF0(new Float32Array(0), RATE)).toThrow("no samples");
  expect(() => trackF0(new Float32Array(9), RATE, { fMin: 300, fMax: 200 })).toThrow("300 to 200 Hz");
  expect(trackF0(new Float32Array(1), RATE).frames).toBe(1);
});
