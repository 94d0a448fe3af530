/** @file Spectral features against transformers, torchaudio and librosa (`tools/oracle/features.py`). */
import { expect, test } from "vitest";
import { kaldiFbank } from "../src/features/kaldi.ts";
import { librosaMel, librosaMfcc } from "../src/features/librosa.ts";
import { logMel } from "../src/features/log-mel.ts";
import { wav2vec2Batch, wav2vec2Normalise } from "../src/features/normalise.ts";
import type { FeatureFrames } from "../src/features/feature-frames.ts";
import { readFixtures } from "./safetensors.ts";

const fixture = readFixtures("spectral.safetensors");
const samples = (name: string): Float32Array => Float32Array.from(fixture(name).data, (x) => x / 32768);
const x16 = samples("signal16k");
const x8 = samples("signal8k");

/** The largest difference, relative to the largest reference value where that is above 1. */
function worst(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let scale = 1;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
  }
  return error / scale;
}

function close(actual: FeatureFrames, name: string, tolerance = 1e-4): void {
  const { shape, data } = fixture(name);
  expect([actual.frames, actual.features]).toEqual(shape);
  expect(actual.names).toHaveLength(actual.features);
  expect(worst(actual.data, data)).toBeLessThan(tolerance);
}

test("Whisper: 80 bands, the clip's own length", () => {
  close(logMel(x16, 16000, { padSeconds: null }), "whisper_80_unpadded");
});

test("Whisper: 128 bands, padded to 30 s; the padding is one constant", () => {
  const full = logMel(x16, 16000, { melBins: 128 });
  expect([full.frames, full.features]).toEqual([3000, 128]);
  close({ ...full, frames: 90, data: full.data.subarray(0, 90 * 128) }, "whisper_128_first_90");
  expect(new Set(full.data.subarray(90 * 128)).size).toBe(1);
});

test("Whisper: a clip longer than 30 s is cut, one of exactly 30 s is not padded", () => {
  const long = new Float32Array(31 * 16000).map((_, i) => Math.sin(i / 7));
  const cut = logMel(long, 16000);
  expect(cut.frames).toBe(3000);
  expect(worst(cut.data, logMel(long.subarray(0, 480000), 16000, { padSeconds: null }).data)).toBe(0);
});

// torchaudio works in single precision: in quiet bands its own rounding, not ours, sets the difference
test("Kaldi: torchaudio's defaults, 80 bands on 16-bit scale, and every option", () => {
  close(kaldiFbank(x16, 16000), "kaldi_default");
  close(
    kaldiFbank(
      x16.map((x) => x * 32768),
      16000,
      { numMelBins: 80 },
    ),
    "kaldi_scaled_80",
  );
  close(
    kaldiFbank(x16, 16000, {
      numMelBins: 40,
      windowType: "hamming",
      snipEdges: false,
      useEnergy: true,
      lowFreq: 60,
      highFreq: -200,
      preemphasisCoefficient: 0.9,
      subtractMean: true,
      energyFloor: 0,
    }),
    "kaldi_options",
  );
  close(
    kaldiFbank(x8, 8000, {
      usePower: false,
      useLogFbank: false,
      roundToPowerOfTwo: false,
      rawEnergy: false,
      useEnergy: true,
      windowType: "blackman",
      removeDcOffset: false,
    }),
    "kaldi_8k_magnitude",
  );
});

test("librosa: mel and MFCC, defaults and options", () => {
  close(librosaMel(x16, 16000), "librosa_mel");
  close(
    librosaMel(x8, 8000, {
      nFft: 400,
      hopLength: 100,
      winLength: 320,
      window: "hamming",
      center: false,
      power: 1,
      nMels: 30,
      fMin: 50,
      fMax: 3500,
      htk: true,
      norm: "none",
    }),
    "librosa_mel_options",
  );
  close(librosaMfcc(x16, 16000), "librosa_mfcc");
  close(librosaMfcc(x8, 8000, { nMfcc: 13, lifter: 22, nFft: 512, hopLength: 80, nMels: 26 }), "librosa_mfcc_options");
});

test("wav2vec 2.0: one clip, and a clip in a batch", () => {
  const one = wav2vec2Normalise(x16);
  expect(
    worst(
      one.filter((_, i) => i % 7 === 0),
      fixture("wav2vec2").data,
    ),
  ).toBeLessThan(1e-4);
  const batch = wav2vec2Batch([x8, x16]);
  expect(worst(batch.data.subarray(batch.length), one)).toBe(0);
  expect(batch.mask.reduce((sum, m) => sum + m, 0)).toBe(x8.length + x16.length);
  expect(batch.data.subarray(x8.length, batch.length).every((x) => x === 0)).toBe(true);
});

test("bad input is named", () => {
  expect(() => logMel(x8, 8000)).toThrow("16000 Hz, not 8000 Hz");
  expect(() => logMel(new Float32Array(0))).toThrow("no samples");
  expect(() => librosaMel(Float32Array.of(0, Number.NaN), 16000)).toThrow("sample 1 is NaN");
  expect(() => kaldiFbank(new Float32Array(100), 16000)).toThrow("100 samples, fewer than one frame of 400");
  expect(() => kaldiFbank(x16, 16000, { highFreq: 9000 })).toThrow("20 to 9000 Hz");
});
