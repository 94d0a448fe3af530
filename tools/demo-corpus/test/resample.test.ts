import { expect, test } from "vitest";
import { resampler } from "../src/resample.ts";

const sine = (hz: number, rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, n) => Math.sin((2 * Math.PI * hz * n) / rate));
const convert = resampler(22_050, 16_000);
const middle = (x: Float32Array): Float32Array => x.subarray(500, x.length - 500);

test("a tone in the pass band keeps its frequency, phase and size", () => {
  for (const hz of [100, 1000, 3000, 6000]) {
    const out = convert(sine(hz, 22_050, 0.5));
    const want = sine(hz, 16_000, 0.5);
    expect(out.length).toBe(8000);
    // The filter's ripple at 80 dB of stop band is 1e-4.
    middle(out).forEach((x, n) => expect(Math.abs(x - want[n + 500]!)).toBeLessThan(5e-4));
  }
});

test("a tone above the new Nyquist frequency does not come back as an alias", () => {
  for (const hz of [8500, 9500, 10_500]) {
    const peak = Math.max(...middle(convert(sine(hz, 22_050, 0.5))).map(Math.abs));
    expect(20 * Math.log10(peak)).toBeLessThan(-70);
  }
});
