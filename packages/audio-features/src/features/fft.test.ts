import { expect, test } from "vitest";
import { realFft, realFft32 } from "./fft.ts";

const noise = (n: number, seed: number): Float64Array => {
  let state = seed;
  return Float64Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

// The definition, summed directly. Rounding grows with sqrt(n) at most, so 1e-10 is generous for n <= 2048 and |x| <= 1.
test.each([1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 49, 97, 110, 256, 400, 882, 960, 1024, 2048])(
  "size %i is the sum",
  (size) => {
    for (const lanes of [2, 4, 6]) {
      const fft = realFft(size, lanes);
      const signals = Array.from({ length: lanes }, (_, l) => noise(size, size * 31 + l));
      for (let n = 0; n < size; n++) for (let l = 0; l < lanes; l++) fft.input[n * lanes + l] = signals[l]![n]!;
      fft.run();
      expect(fft.bins).toBe(Math.floor(size / 2) + 1);
      let worst = 0;
      for (let k = 0; k < fft.bins; k += size > 500 ? 37 : 1)
        for (let l = 0; l < lanes; l++) {
          let re = 0;
          let im = 0;
          for (let n = 0; n < size; n++) {
            const angle = (-2 * Math.PI * ((k * n) % size)) / size;
            re += signals[l]![n]! * Math.cos(angle);
            im += signals[l]![n]! * Math.sin(angle);
          }
          worst = Math.max(worst, Math.abs(re - fft.re[k * lanes + l]!), Math.abs(im - fft.im[k * lanes + l]!));
        }
      expect(worst).toBeLessThan(1e-10);
      const power = fft.re.map((x, i) => x * x + fft.im[i]! * fft.im[i]!);
      fft.runPower();
      expect(Math.max(...power.map((p, i) => Math.abs(p - fft.re[i]!)))).toBeLessThan(1e-9);
    }
  },
);

// A float holds 6e-8 of a value; sums of n of them up to sqrt(n), over log n passes.
test.each([1, 2, 3, 5, 12, 13, 97, 98, 400, 882, 1024])("size %i in single precision", (size) => {
  for (const lanes of [4, 8]) {
    const [single, double] = [realFft32(size, lanes), realFft(size, lanes)];
    double.input.set(noise(size * lanes, size));
    single.input.set(double.input);
    double.run();
    single.run();
    const limit = 1e-6 * Math.sqrt(size) + 1e-6;
    for (let i = 0; i < double.re.length; i++) {
      expect(Math.abs(single.re[i]! - double.re[i]!)).toBeLessThan(limit);
      expect(Math.abs(single.im[i]! - double.im[i]!)).toBeLessThan(limit);
    }
    const power = [...double.re].map((x, i) => x * x + double.im[i]! ** 2);
    single.runPower();
    expect(Math.max(...power.map((p, i) => Math.abs(p - single.re[i]!)))).toBeLessThan(3e-6 * (size + 1));
  }
});

test("a plan runs again on new input", () => {
  const fft = realFft(8, 2);
  for (const value of [1, -3]) {
    fft.input.fill(value);
    fft.run();
    expect([...fft.re]).toEqual([8 * value, 8 * value, 0, 0, 0, 0, 0, 0, 0, 0]);
  }
});

test("impossible sizes are refused", () => {
  expect(() => realFft(0)).toThrow("FFT size 0");
  expect(() => realFft(8, 3)).toThrow("FFT lanes 3");
  expect(() => realFft32(8, 6)).toThrow("FFT lanes 6");
});
