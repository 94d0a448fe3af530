import { expect, test } from "vitest";
import { columnStatistics, delta, prosodyFrames, rmsLevel } from "./prosody-frames.ts";
import { column } from "./feature-frames.ts";

const tone = (hz: number, amplitude: number, seconds = 0.5): Float32Array =>
  new Float32Array(Math.round(seconds * 16000)).map((_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / 16000));

test("a tone of 200 Hz: one octave above 100 Hz, voiced, at its level, in its band", () => {
  const frames = prosodyFrames(tone(200, 0.5), 16000);
  expect([frames.frames, frames.features]).toEqual([51, 46]);
  for (const [name, value] of [
    ["log_f0", 1],
    ["level", -0.903],
    ["delta_log_f0", 0],
  ] as const)
    for (const x of column(frames, name).subarray(10, 40)) expect(x).toBeCloseTo(value, 1);
  expect(Math.min(...column(frames, "voicing_probability").subarray(10, 40))).toBeGreaterThan(0.9);
  const row = frames.data.subarray(25 * 46, 25 * 46 + 40);
  expect(row.indexOf(Math.max(...row))).toBe(3);
});

test("gaps in the pitch are bridged, a clip without pitch gets one constant", () => {
  const clip = new Float32Array(16000);
  clip.set(tone(100, 0.5, 0.4));
  clip.set(tone(200, 0.5, 0.4), 9600);
  const pitch = column(prosodyFrames(clip, 16000), "log_f0");
  for (let t = 1; t < pitch.length; t++) expect(Math.abs(pitch[t]! - pitch[t - 1]!)).toBeLessThan(0.1);
  expect(new Set(column(prosodyFrames(new Float32Array(4000), 16000), "log_f0"))).toEqual(new Set([0.5]));
});

test("normalisation over the clip, and by given statistics", () => {
  const clip = tone(150, 0.3).map((x, i) => x * Math.sin(i / 900));
  const plain = prosodyFrames(clip, 16000);
  const { mean, std } = columnStatistics([prosodyFrames(clip, 16000, { normalise: "clip" })]);
  for (let c = 0; c < 46; c++) {
    expect(mean[c]).toBeCloseTo(0, 4);
    expect(std[c]).toBeCloseTo(1, 4);
  }
  const given = { mean: new Float64Array(46).fill(2), std: new Float64Array(46).fill(4) };
  const shifted = prosodyFrames(clip, 16000, { normalise: given });
  expect(shifted.data[77]).toBeCloseTo((plain.data[77]! - 2) / 4, 5);
  expect(() => prosodyFrames(clip, 16000, { deltas: false, normalise: given })).toThrow("features have 43");
});

test("level in dB re full scale, and a floor", () => {
  expect(rmsLevel(tone(100, 1), 16000)[20]).toBeCloseTo(-3.01, 0);
  expect(rmsLevel(new Float32Array(800), 16000)).toEqual(new Float32Array(6).fill(-100));
});

test("the delta of a ramp is its slope", () => {
  expect([...delta([0, 2, 4, 6, 8, 10])].slice(2, 4)).toEqual([2, 2]);
});
