import { beforeAll, describe, expect, test } from "vitest";
import { readFileSync } from "node:fs";
import { decodeAudio, findFfmpeg } from "../src/index.ts";
import { fixturePath, readInt16, readJson, readSteps } from "./fixtures.ts";

interface Entry {
  name: string;
  channels: number;
  frames: number;
  sampleRate: number;
}
const index = readJson<Entry[]>("compressed", "index.json");

describe("flac is decoded to libsndfile's samples", () => {
  test.each(index.filter(({ name }) => name.startsWith("flac")))(
    "$name",
    async ({ name, channels, frames, sampleRate }) => {
      const path = fixturePath("compressed", name);
      const sound = await decodeAudio(path);
      expect(sound.sampleRate).toBe(sampleRate);
      expect(sound.samples.length).toBe(channels);
      const expected = name.includes("24")
        ? readSteps(24, "compressed", `${name}.s32`)
        : readInt16("compressed", `${name}.s16`);
      sound.samples.forEach((c, i) => expect(c).toEqual(expected.subarray(i * frames, (i + 1) * frames)));
      const part = await decodeAudio({ path, start: 0.1, end: 0.15 });
      const [from, to] = [Math.round(0.1 * sampleRate), Math.round(0.15 * sampleRate)];
      expect(part.samples).toEqual(sound.samples.map((c) => c.slice(from, to)));
    },
  );
});

/** Largest difference, and the signal's level, over the frames that both have. */
function compare(ours: Float32Array, theirs: Float32Array): number {
  let error = 0;
  let energy = 0;
  const n = Math.min(ours.length, theirs.length);
  for (let i = 0; i < n; i++) {
    error += (ours[i]! - theirs[i]!) ** 2;
    energy += theirs[i]! ** 2;
  }
  return 10 * Math.log10(error / energy);
}

// Two decoders of one lossy format agree but for rounding: the fixtures have 16 bits (-80 dB below these signals).
const AGREEMENT_DB = -70;

describe("mp3, vorbis and opus are decoded as ffmpeg decodes them", () => {
  test.each(index.filter(({ name }) => /^(mp3|vorbis-|opus-)/.test(name)))(
    "$name",
    async ({ name, channels, frames, sampleRate }) => {
      const path = fixturePath("compressed", name);
      const sound = await decodeAudio(path);
      expect(sound.sampleRate).toBe(sampleRate);
      expect(sound.samples.length).toBe(channels);
      const expected = readInt16("compressed", `${name}.s16`);
      // ffmpeg keeps the padding of the last Vorbis block, libvorbis and this package end where the file says.
      if (name.startsWith("vorbis")) expect(sound.samples[0]!.length).toBeLessThanOrEqual(frames);
      else expect(sound.samples[0]!.length).toBe(frames);
      // Opus has Vorbis' order: front left, centre, front right, rear left, rear right, LFE.
      const order = channels === 6 && name.startsWith("opus") ? [0, 2, 1, 4, 5, 3] : [0, 1, 2, 3, 4, 5];
      sound.samples.forEach((c, i) => {
        const at = order[i]!;
        expect(compare(c, expected.subarray(at * frames, (at + 1) * frames))).toBeLessThan(AGREEMENT_DB);
      });
      const part = await decodeAudio({ path, start: 0.1, end: 0.2 });
      const [from, to] = [Math.round(0.1 * sampleRate), Math.round(0.2 * sampleRate)];
      expect(part.samples).toEqual(sound.samples.map((c) => c.slice(from, to)));
    },
  );
});

describe("what needs ffmpeg", () => {
  let ffmpeg: string | undefined;
  beforeAll(async () => {
    ffmpeg = await findFfmpeg();
  });
  test.each(index.filter(({ name }) => /^aac|webm$/.test(name)))(
    "$name",
    async ({ name, channels, frames, sampleRate }) => {
      const path = fixturePath("compressed", name);
      if (!ffmpeg) {
        await expect(decodeAudio(path)).rejects.toThrow(/needs ffmpeg, which was not found; install it/);
        return;
      }
      const sound = await decodeAudio(path);
      expect(sound.sampleRate).toBe(sampleRate);
      expect(sound.samples.length).toBe(channels);
      expect(sound.samples[0]!.length).toBe(frames);
      const expected = readInt16("compressed", `${name}.s16`);
      sound.samples.forEach((c, i) =>
        expect(compare(c, expected.subarray(i * frames, (i + 1) * frames))).toBeLessThan(AGREEMENT_DB),
      );
      const part = await decodeAudio(readFileSync(path), { start: 0.1, end: 0.2 });
      const [from, to] = [Math.round(0.1 * sampleRate), Math.round(0.2 * sampleRate)];
      expect(part.samples).toEqual(sound.samples.map((c) => c.slice(from, to)));
      if (channels === 6)
        expect((await decodeAudio({ path, channel: "centre" })).samples).toEqual([sound.samples[sound.centre!]]);
    },
  );
});
