import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeAudio, encodeWav, loadSpeech, WAV_ENCODINGS } from "../src/index.ts";
import { fixturePath, readFloats, readJson, seeded } from "./fixtures.ts";

interface Entry {
  name: string;
  channels: number;
  frames: number;
  sampleRate: number;
}
const index = readJson<Entry[]>("wav", "index.json");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-wav-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("every kind of WAV that libsndfile writes is decoded as libsndfile decodes it", () => {
  test.each(index)("$name", async ({ name, channels, frames, sampleRate }) => {
    const sound = await decodeAudio(fixturePath("wav", `${name}.wav`));
    expect(sound.sampleRate).toBe(sampleRate);
    expect(sound.samples.length).toBe(channels);
    const expected = readFloats("wav", `${name}.f32`);
    // Both divide integers by a power of two, which is exact.
    sound.samples.forEach((c, i) => expect(c).toEqual(expected.subarray(i * frames, (i + 1) * frames)));
  });

  test.each(index)("$name by range, bytes and stream", async ({ name }) => {
    const bytes = readFileSync(fixturePath("wav", `${name}.wav`));
    const whole = await decodeAudio(bytes);
    const part = await decodeAudio(Readable.from([bytes.subarray(0, 17), bytes.subarray(17)]), {
      start: 0.005,
      end: 0.0101,
    });
    expect(part.samples).toEqual(whole.samples.map((c) => c.slice(80, 162)));
  });
});

test("a clip names its bytes in a container, its range and its channel", async () => {
  const inner = readFileSync(fixturePath("wav", "wav-pcm_16-2.wav"));
  const path = join(folder, "container.tar");
  await writeFile(path, Buffer.concat([Buffer.alloc(777, 1), inner, Buffer.alloc(99, 2)]));
  const clip = { path, byteOffset: 777, byteLength: inner.length, start: 0.01, end: 0.02, channel: 1 };
  const whole = await decodeAudio(inner);
  expect((await decodeAudio(clip)).samples).toEqual([whole.samples[1]!.slice(160, 320)]);
  await expect(decodeAudio({ ...clip, channel: 2 })).rejects.toThrow("channel 2 of a sound with 2 channels");
  await expect(decodeAudio({ ...clip, byteLength: 1e6 })).rejects.toThrow("lie outside the file");
});

test("the centre of a 5.1 file is what its channel mask says", async () => {
  const path = fixturePath("wav", "wavex-pcm_16-6.wav");
  const { samples, centre } = await decodeAudio(path);
  expect(centre).toBe(2);
  expect((await decodeAudio({ path, channel: "centre" })).samples).toEqual([samples[2]]);
  expect((await loadSpeech({ path, channel: 4 })).length).toBe(400);
});

describe("sizes that lie", () => {
  const good = encodeWav({ samples: [Float32Array.from({ length: 100 }, (_, i) => i / 100)], sampleRate: 8000 });
  const decoded = async (change: (view: DataView) => void, length = good.length): Promise<Float32Array> => {
    const bytes = good.slice(0, length);
    change(new DataView(bytes.buffer));
    return (await decodeAudio(bytes)).samples[0]!;
  };
  test("a truncated data chunk gives the whole frames that are there", async () => {
    expect((await decoded(() => {}, 44 + 101)).length).toBe(50);
  });
  test("a pipe's 0xffffffff and a crashed recorder's 0 mean the rest of the file", async () => {
    for (const size of [0xffffffff, 0]) {
      const samples = await decoded((v) => {
        v.setUint32(4, size, true);
        v.setUint32(40, size, true);
      });
      expect(samples.length).toBe(100);
    }
  });
  test("an RF64 file's data size is that of its ds64 chunk", async () => {
    const ds64 = Buffer.alloc(36);
    ds64.write("ds64");
    ds64.writeUInt32LE(28, 4);
    ds64.writeBigUInt64LE(40n, 16);
    const rf64 = Buffer.concat([good.subarray(0, 12), ds64, good.subarray(12)]);
    rf64.write("RF64");
    rf64.writeUInt32LE(0xffffffff, 4);
    rf64.writeUInt32LE(0xffffffff, 36 + 40);
    expect((await decodeAudio(rf64)).samples[0]!.length).toBe(20);
  });
});

describe("bad input is refused with its name and the reason", () => {
  const bytes = encodeWav({ samples: [new Float32Array(100)], sampleRate: 8000 });
  const set = (at: number, value: number): Uint8Array => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint16(at, value, true);
    return copy;
  };
  test.each([
    ["0 channels", set(22, 0), "x.wav: the fmt chunk says 0 channels"],
    ["odd bits", set(34, 17), "x.wav: format tag 1 with 17 bits"],
    ["odd tag", set(20, 999), "x.wav: format tag 999"],
    ["compressed", set(20, 0x11), "x.wav: "],
    ["silly rate", set(24, 1), "x.wav: sample rate 1 Hz"],
    ["no data", bytes.slice(0, 36), "x.wav: no data chunk"],
    ["too short", bytes.slice(0, 12), "x.wav: no fmt chunk"],
    ["no sample", bytes.slice(0, 44), "x.wav: holds no samples"],
    ["empty", new Uint8Array(0), "x.wav: is empty (0 bytes)"],
    ["text", Buffer.from(`hello, this is a text and no sound at all`), "x.wav: its first bytes are of no audio format"],
  ])("%s", async (_, input, message) => {
    await expect(decodeAudio(input, { name: "x.wav" })).rejects.toThrow(message);
  });
  test("missing file, folder, range, memory limit", async () => {
    await expect(decodeAudio(join(folder, "none.wav"))).rejects.toThrow("none.wav: no such file");
    await expect(decodeAudio(folder)).rejects.toThrow("is not a regular file");
    await expect(decodeAudio(bytes, { start: 2 })).rejects.toThrow("no sample from 2 s");
    await expect(decodeAudio(bytes, { start: 2, end: 1 })).rejects.toThrow("range 2 s to 1 s is empty");
    await expect(decodeAudio(bytes, { maxSamples: 99 })).rejects.toThrow("exceed maxSamples = 99");
  });
});

test.each(WAV_ENCODINGS)("what encodeWav writes as %s comes back within half a step", async (encoding) => {
  const random = seeded(5);
  const channel = Float32Array.from({ length: 333 }, () => random() * 1.98 - 0.99);
  const back = await decodeAudio(encodeWav({ samples: [channel, channel], sampleRate: 22050 }, { encoding }));
  // float32 itself has 24 bits, so the steps of 24 and 32 bits drown in its rounding.
  const step = { pcm8: 1 / 128, pcm16: 1 / 32768, pcm24: 2 ** -22, pcm32: 2 ** -23, float32: 1e-45 }[encoding];
  channel.forEach((value, i) => expect(Math.abs(back.samples[1]![i]! - value)).toBeLessThanOrEqual(step / 2));
});
