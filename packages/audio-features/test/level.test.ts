import { describe, expect, test } from "vitest";
import {
  applyGain,
  integratedLoudness,
  normaliseLoudness,
  normalisePeak,
  normaliseRms,
  peakLevel,
  removeDc,
  type Sound,
  wholeRmsLevel,
} from "../src/index.ts";
import { readJson } from "./fixtures.ts";

interface Case {
  rate: number;
  channels: number;
  levels: number[];
  pyloudnorm: number;
  ffmpeg: number;
}

const sine = (t: number, f: number): number => Math.sin(2 * Math.PI * f * t);

function signal({ rate, channels, levels }: Case): Sound {
  const base = Float64Array.from({ length: rate * levels.length }, (_, n) => {
    const t = n / rate;
    const gain = 10 ** (levels[Math.floor(n / rate)]! / 20);
    return gain * (sine(t, 997) + 0.5 * sine(t, 233) + 0.25 * sine(t, 3011));
  });
  return {
    samples: Array.from({ length: channels }, (_, c) => Float32Array.from(base, (v) => v * (1 - 0.1 * c))),
    sampleRate: rate,
  };
}

describe("integrated loudness", () => {
  test.each(readJson<Case[]>("loudness.json"))("$rate Hz, $channels channels, $levels dB", (entry) => {
    const loudness = integratedLoudness(signal(entry));
    // Same filters, same gates; pyloudnorm rounds block borders by flooring, which moves a block by one sample.
    expect(Math.abs(loudness - entry.pyloudnorm)).toBeLessThan(0.02);
    // ffmpeg prints one decimal, and counts blocks from the whole hundred milliseconds.
    expect(Math.abs(loudness - entry.ffmpeg)).toBeLessThan(0.11);
  });

  test("a full-scale tone of 997 Hz in one channel has -3.01 LUFS (BS.1770-4, annex 1)", () => {
    const samples = [Float32Array.from({ length: 48000 * 2 }, (_, i) => sine(i / 48000, 997))];
    expect(integratedLoudness({ samples, sampleRate: 48000 })).toBeCloseTo(-3.01, 2);
  });

  test("normalisation reaches its target, and refuses silence", () => {
    const sound = signal({ rate: 16000, channels: 2, levels: [-40, -30, -20], pyloudnorm: 0, ffmpeg: 0 });
    expect(integratedLoudness(normaliseLoudness(sound, -23))).toBeCloseTo(-23, 4);
    const silence = { samples: [new Float32Array(16000)], sampleRate: 16000 };
    expect(integratedLoudness(silence)).toBe(-Infinity);
    expect(() => normaliseLoudness(silence)).toThrow("silence cannot be brought to -23 dB loudness");
  });
});

test("DC, peak and RMS", () => {
  const samples = Float32Array.from({ length: 16000 }, (_, i) => 0.25 + 0.5 * sine(i / 16000, 100));
  const centred = removeDc(samples);
  expect(Math.abs(centred.reduce((a, b) => a + b, 0) / centred.length)).toBeLessThan(1e-7);
  expect(peakLevel(centred)).toBeCloseTo(20 * Math.log10(0.5), 4);
  expect(wholeRmsLevel(centred)).toBeCloseTo(20 * Math.log10(0.5 / Math.SQRT2), 4);
  expect(peakLevel(normalisePeak(centred, -3))).toBeCloseTo(-3, 4);
  expect(wholeRmsLevel(normaliseRms(centred, -26))).toBeCloseTo(-26, 4);
  expect(peakLevel(applyGain(centred, 6))).toBeCloseTo(20 * Math.log10(0.5) + 6, 4);
  expect(() => normalisePeak(new Float32Array(10))).toThrow("silence");
  expect(removeDc(new Float32Array(0)).length).toBe(0);
});
