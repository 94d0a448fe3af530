import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  babble,
  CODEC_NAMES,
  type Corruption,
  corrupt,
  CORRUPTION_NAMES,
  encodeWav,
  findFfmpeg,
  type Room,
  roomResponse,
  trackF0,
} from "../src/index.ts";
import { convolve } from "../src/corrupt/convolve.ts";
import { pinkNoise, whiteNoise } from "../src/corrupt/noise.ts";
import { seededRandom } from "../src/corrupt/random.ts";
import { readJson, seeded } from "./fixtures.ts";

const RATE = 16000;
const tone = (f: number, seconds: number, rate = RATE): Float32Array =>
  Float32Array.from({ length: seconds * rate }, (_, i) => 0.5 * Math.sin((2 * Math.PI * f * i) / rate));
/** A voice-like sound: harmonics of 150 Hz with syllables. */
const voice = (seconds: number, f0 = 150): Float32Array =>
  Float32Array.from({ length: seconds * RATE }, (_, i) => {
    const t = i / RATE;
    let sum = 0;
    for (let k = 1; k <= 20; k++) sum += Math.sin(2 * Math.PI * f0 * k * t) / k;
    return 0.2 * sum * (0.6 + 0.4 * Math.sin(2 * Math.PI * 4 * t));
  });
const power = (x: ArrayLike<number>): number => Array.from(x).reduce((sum, v) => sum + v * v, 0) / x.length;
const dB = (ratio: number): number => 10 * Math.log10(ratio);

/** Power of `x` near `f` Hz, by a Hann-windowed DFT of one bin. */
function powerAt(x: Float32Array, f: number, rate = RATE): number {
  let [re, im] = [0, 0];
  x.forEach((v, i) => {
    const w = v * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / x.length));
    re += w * Math.cos((2 * Math.PI * f * i) / rate);
    im += w * Math.sin((2 * Math.PI * f * i) / rate);
  });
  return (re * re + im * im) / x.length ** 2;
}

describe("noise", () => {
  test.each(["white", "pink"] as const)("%s noise has exactly the ratio that was asked for", async (kind) => {
    const x = voice(2);
    for (const snr of [-5, 0, 7.5, 30]) {
      const noisy = await corrupt(x, RATE, [{ type: "noise", kind, snr }], { seed: snr });
      const noise = noisy.map((v, i) => v - x[i]!);
      // float32 rounding of the sum is all that is between.
      expect(dB(power(x) / power(noise))).toBeCloseTo(snr, 3);
    }
  });

  test("white is flat, pink falls by 3 dB an octave", () => {
    const octaves = [125, 250, 500, 1000, 2000, 4000];
    const slopes = (noise: Float32Array): number[] => {
      // Power in each octave band, from the power spectrum averaged over blocks.
      const block = 1024;
      const levels = octaves.map((low) => {
        let sum = 0;
        for (let at = 0; at + block <= noise.length; at += block * 4) {
          const part = noise.subarray(at, at + block);
          for (let k = 0; k < 8; k++) sum += powerAt(part, low * 2 ** ((k + 0.5) / 8));
        }
        return dB(sum);
      });
      return levels.slice(1).map((level, i) => level - levels[i]!);
    };
    for (const slope of slopes(whiteNoise(2 ** 19, seededRandom(1)))) expect(Math.abs(slope)).toBeLessThan(0.7);
    for (const slope of slopes(pinkNoise(2 ** 19, seededRandom(2)))) expect(Math.abs(slope + 3.01)).toBeLessThan(0.7);
  });

  test("babble gives every voice the same level; files are drawn and mixed", async () => {
    const one = [voice(1).map((v) => v * 0.001), tone(3000, 1)];
    const mixed = babble(one, RATE, seededRandom(4));
    expect(dB(powerAt(mixed, 3000) / (0.5 / 4))).toBeCloseTo(0, 0);
    expect(power(mixed)).toBeGreaterThan(1.7);
    const folder = mkdtempSync(join(tmpdir(), "emosllm-noise-"));
    try {
      const files = [700, 900, 1100].map((f) => {
        const file = join(folder, `${f}.wav`);
        writeFileSync(file, encodeWav({ samples: [tone(f, 0.5, 8000)], sampleRate: 8000 }));
        return file;
      });
      const x = voice(1);
      for (const kind of ["file", "babble"] as const) {
        const noisy = await corrupt(x, RATE, [{ type: "noise", kind, files, snr: 3 }]);
        expect(dB(power(x) / power(noisy.map((v, i) => v - x[i]!)))).toBeCloseTo(3, 3);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("rooms", () => {
  type Case = Room & { rate: number; response: number[] };
  test.each(readJson<Case[]>("room.json"))("$size m as pyroomacoustics has it", (room) => {
    const ours = roomResponse(room, room.rate, 0.15);
    // Theirs leaves out the 1 / (4 pi) of a point source.
    const theirs = Float64Array.from(room.response, (v) => v / (4 * Math.PI));
    const error = theirs.map((v, i) => v - ours[i]!);
    // Both interpolate by a sinc under a Hann window of 81 samples; theirs takes the window from a table.
    expect(dB(power(error) / power(theirs))).toBeLessThan(-40);
  });

  test("the energy falls by 60 dB in the time that was asked for", () => {
    for (const rt60 of [0.25, 0.5, 0.8]) {
      const room: Room = { size: [6.2, 4.7, 2.9], source: [1.3, 3.1, 1.6], microphone: [4.4, 1.2, 1.2], rt60 };
      // Images are all positive and pile up towards 0 Hz (Allen and Berkley, section III); a difference leaves the speech band.
      const response = roomResponse(room, 8000).map((v, i, all) => v - (all[i - 1] ?? 0));
      // Schroeder's backward integration, a line through -5 and -25 dB.
      const energy = Float64Array.from(response);
      for (let i = energy.length - 1, sum = 0; i >= 0; i--) energy[i] = sum += response[i]! ** 2;
      const at = (level: number): number => energy.findIndex((e) => dB(e / energy[0]!) < level) / 8000;
      const measured = 3 * (at(-25) - at(-5));
      // Measured on the pressure, where images interfere; the walls were found by their energies alone.
      expect(Math.abs(measured / rt60 - 1)).toBeLessThan(0.1);
    }
  });

  test("speech stays where it was, and impossible rooms are refused", async () => {
    const room: Room = { size: [5, 4, 3], source: [1, 1.2, 1.7], microphone: [2.2, 2.1, 1.3], rt60: 0.3 };
    const click = new Float32Array(4000);
    click[1000] = 1;
    const wet = await corrupt(click, RATE, [{ type: "room", ...room }]);
    expect(wet.length).toBe(4000);
    // Half a sample between two samples, at worst.
    expect(wet[1000]).toBeGreaterThan(0.6);
    expect(Math.max(...wet.subarray(0, 950).map(Math.abs))).toBeLessThan(1e-3);
    expect(power(wet.subarray(1100))).toBeGreaterThan(0);
    await expect(corrupt(click, RATE, [{ type: "room", ...room, source: [6, 1, 1] }])).rejects.toThrow(
      "not within the room",
    );
    await expect(corrupt(click, RATE, [{ type: "room", ...room, rt60: 0.01 }])).rejects.toThrow(
      "is not between 0.05 and 3 s",
    );
  });

  test("fast convolution equals the sum", () => {
    const random = seeded(1);
    for (const [n, m] of [
      [1, 1],
      [1000, 3],
      [777, 400],
      [5000, 1500],
    ] as const) {
      const x = Float32Array.from({ length: n }, () => random() - 0.5);
      const h = Float64Array.from({ length: m }, () => random() - 0.5);
      const fast = convolve(x, h);
      expect(fast.length).toBe(n + m - 1);
      for (let i = 0; i < fast.length; i += 97) {
        let sum = 0;
        for (let k = Math.max(0, i - n + 1); k <= Math.min(i, m - 1); k++) sum += h[k]! * x[i - k]!;
        expect(Math.abs(fast[i]! - sum)).toBeLessThan(1e-5);
      }
    }
  });
});

describe("lines and codecs", () => {
  test("a telephone passes 300 to 3400 Hz", async () => {
    const gain = async (f: number): Promise<number> => {
      const x = tone(f, 0.5);
      return dB(powerAt(await corrupt(x, RATE, [{ type: "telephone" }]), f) / powerAt(x, f));
    };
    for (const f of [400, 1000, 3300]) expect(Math.abs(await gain(f))).toBeLessThan(0.3);
    for (const f of [100, 3600, 5000]) expect(await gain(f)).toBeLessThan(-35);
  });

  test("G.711 keeps some 38 dB, ADPCM less with fewer bits", async () => {
    const x = tone(800, 1);
    const ratio = async (corruption: Corruption): Promise<number> => {
      const y = await corrupt(x, RATE, [corruption]);
      const part = Array.from({ length: 12000 }, (_, i) => [x[i + 2000]!, y[i + 2000]! - x[i + 2000]!] as const);
      return dB(power(part.map(([a]) => a)) / power(part.map(([, b]) => b)));
    };
    expect(await ratio({ type: "telephone", law: "mu-law" })).toBeGreaterThan(33);
    const adpcm = [
      await ratio({ type: "adpcm", bits: 2 }),
      await ratio({ type: "adpcm", bits: 3 }),
      await ratio({ type: "adpcm", bits: 4 }),
    ];
    expect(adpcm[0]).toBeGreaterThan(3);
    expect(adpcm[1]).toBeGreaterThan(adpcm[0]! + 2);
    expect(adpcm[2]).toBeGreaterThan(adpcm[1]! + 2);
  });

  test.each(CODEC_NAMES)("%s by ffmpeg lies on the original", async (name) => {
    const coded = corrupt(voice(1), RATE, [{ type: "codec", name, kbps: 24 }]);
    if (!(await findFfmpeg())) {
      await expect(coded).rejects.toThrow("needs ffmpeg, which was not found");
      return;
    }
    const x = voice(1);
    const y = await coded;
    expect(y.length).toBe(x.length);
    let product = 0;
    x.forEach((v, i) => (product += v * y[i]!));
    expect(product / (x.length * Math.sqrt(power(x) * power(y)))).toBeGreaterThan(0.9);
  });

  test("packets are lost at the rate and in bursts of the length that were asked for", async () => {
    const x = new Float32Array(RATE * 400).fill(1);
    for (const [rate, burst] of [
      [0.1, 1.5],
      [0.3, 4],
    ] as const) {
      const y = await corrupt(x, RATE, [{ type: "packetLoss", rate, burst, concealment: "silence" }], { seed: 3 });
      const lost = Array.from({ length: 20_000 }, (_, i) => y[i * 320] === 0);
      expect(lost.filter(Boolean).length / lost.length).toBeCloseTo(rate, 1);
      const starts = lost.filter((is, i) => is && !lost[i - 1]).length;
      expect(Math.abs(lost.filter(Boolean).length / starts / burst - 1)).toBeLessThan(0.1);
    }
    const repeated = await corrupt(x, RATE, [{ type: "packetLoss", rate: 0.2 }]);
    expect(repeated.every((v) => v > 0 || repeated[0] === 0)).toBe(true);
  });

  test("band limits, clipping, gain", async () => {
    const x = tone(500, 0.5).map((v, i) => v + 0.3 * Math.sin((2 * Math.PI * 5000 * i) / RATE));
    const low = await corrupt(x, RATE, [{ type: "band", high: 4000 }]);
    expect(dB(powerAt(low, 5000) / powerAt(x, 5000))).toBeLessThan(-75);
    expect(dB(powerAt(low, 500) / powerAt(x, 500))).toBeCloseTo(0, 2);
    const high = await corrupt(x, RATE, [{ type: "band", low: 2000 }]);
    expect(dB(powerAt(high, 500) / powerAt(x, 500))).toBeLessThan(-75);
    const clipped = await corrupt(tone(500, 0.5), RATE, [{ type: "clipping", dB: 6 }]);
    expect(Math.max(...clipped)).toBeCloseTo(0.5 * 10 ** (-6 / 20), 4);
    const louder = await corrupt(x, RATE, [{ type: "gain", dB: 12 }]);
    expect(dB(power(louder) / power(x))).toBeCloseTo(12, 4);
  });
});

describe("speed, tempo and pitch", () => {
  const medianF0 = (x: Float32Array): number => {
    const voiced = Array.from(trackF0(x, RATE).f0)
      .filter((hz) => hz > 0)
      .sort((a, b) => a - b);
    return voiced[voiced.length >> 1]!;
  };
  test("speed changes pitch and length, tempo length, pitch pitch", async () => {
    const x = voice(2, 140);
    const fast = await corrupt(x, RATE, [{ type: "speed", factor: 1.1 }]);
    expect(fast.length).toBe(Math.round(x.length / 1.1));
    expect(medianF0(fast) / 154).toBeCloseTo(1, 2);
    for (const factor of [0.8, 1.25]) {
      const other = await corrupt(x, RATE, [{ type: "tempo", factor }]);
      expect(other.length).toBe(Math.round(x.length / factor));
      expect(medianF0(other) / 140).toBeCloseTo(1, 2);
      expect(Math.abs(dB(power(other) / power(x)))).toBeLessThan(1);
    }
    for (const semitones of [-3, 4]) {
      const other = await corrupt(x, RATE, [{ type: "pitch", semitones }]);
      expect(other.length).toBe(x.length);
      expect(medianF0(other) / (140 * 2 ** (semitones / 12))).toBeCloseTo(1, 2);
    }
  });
});

test("the same seed gives the same bits, another seed others, and nothing is done in place", async () => {
  const x = voice(1);
  const copy = x.slice();
  const list: Corruption[] = [
    { type: "noise", kind: "pink", snr: 10 },
    { type: "packetLoss", rate: 0.2 },
    { type: "noise", kind: "white", snr: 20 },
  ];
  const first = await corrupt(x, RATE, list, { seed: 1 });
  expect(await corrupt(x, RATE, list, { seed: 1 })).toEqual(first);
  expect(await corrupt(x, RATE, list, { seed: 2 })).not.toEqual(first);
  expect(x).toEqual(copy);
});

test("unknown names and impossible settings are refused", async () => {
  const x = voice(0.1);
  await expect(corrupt(x, RATE, [{ type: "nope" } as never])).rejects.toThrow(CORRUPTION_NAMES.join(", "));
  await expect(corrupt(new Float32Array(9), RATE, [{ type: "noise", kind: "white", snr: 1 }])).rejects.toThrow(
    "silent",
  );
  await expect(corrupt(x, RATE, [{ type: "noise", kind: "brown" as "pink", snr: 1 }])).rejects.toThrow(
    "'brown' is not one of",
  );
  for (const [settings, message] of [
    [{ type: "gain" }, "corruption 'gain': dB is undefined, expected a finite number"],
    [{ type: "gain", db: -6 }, "corruption 'gain' has no setting db; it has: dB"],
    [{ type: "gain", dB: NaN }, "expected a finite number"],
    [{ type: "room", rt60: 0.4 }, "corruption 'room': size is undefined, expected three numbers"],
    [{ type: "codec", name: "wma", kbps: 12 }, "codec 'wma' is not one of"],
  ] as const)
    await expect(corrupt(x, RATE, [settings as never])).rejects.toThrow(message);
  await expect(corrupt(x, RATE, [{ type: "speed", factor: 9 }])).rejects.toThrow("speed 9 is not from 0.25 to 4");
  await expect(corrupt(x, RATE, [{ type: "packetLoss", rate: 1 }])).rejects.toThrow("rate 1");
});
