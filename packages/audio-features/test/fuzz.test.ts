/** @file Mutated files: an error that names file and reason, or sound; never a crash, a hang or runaway memory. */
import { readFileSync } from "node:fs";
import { EmosllmError } from "@emosllm/interfaces";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeAudio, findFfmpeg } from "../src/index.ts";
import { pageCrc } from "../src/audio/ogg.ts";
import { fixturePath, seeded } from "./fixtures.ts";

/** EMOSLLM_FULL=1 runs 2,000 files of each format; else as many as a few seconds allow. */
const full = process.env["EMOSLLM_FULL"] === "1";
/** Other damage than usual. */
const seed = Number(process.env["EMOSLLM_SEED"] ?? 0);

type Mutation = (bytes: Uint8Array, random: () => number) => Uint8Array;
const place = (bytes: Uint8Array, random: () => number): number =>
  // Half of the damage goes to the first 200 bytes, where the headers are.
  Math.floor(random() * (random() < 0.5 ? Math.min(200, bytes.length) : bytes.length));
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff];

const MUTATIONS: Record<string, Mutation> = {
  "flip bits": (bytes, random) => {
    const out = bytes.slice();
    for (let n = 1 + random() * 8; n > 0; n--) out[place(out, random)]! ^= 1 << (random() * 8);
    return out;
  },
  "overwrite a number": (bytes, random) => {
    const out = bytes.slice();
    const value = EXTREMES[Math.floor(random() * EXTREMES.length)]!;
    const at = Math.min(place(out, random), out.length - 4);
    new DataView(out.buffer).setUint32(at, value, random() < 0.5);
    return out;
  },
  truncate: (bytes, random) => bytes.slice(0, Math.floor(random() * bytes.length)),
  delete: (bytes, random) => {
    const at = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + Math.floor(random() * 100))]);
  },
  insert: (bytes, random) => {
    const at = place(bytes, random);
    const extra = Uint8Array.from({ length: 1 + random() * 100 }, () => random() * 256);
    return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
  },
  repeat: (bytes, random) => {
    const at = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - Math.floor(random() * at))]);
  },
};

/** Makes the pages' checksums right again, so that the damage gets past them to the decoders. */
function repairOgg(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 27 <= bytes.length && view.getUint32(at) === 0x4f676753;) {
    const body = at + 27 + bytes[at + 26]!;
    const end = body + bytes.subarray(at + 27, body).reduce((sum, size) => sum + size, 0);
    if (end > bytes.length) return;
    view.setUint32(at + 22, pageCrc(bytes.subarray(at, end)), true);
    at = end;
  }
}

async function fuzz(name: string, bytes: Uint8Array, count: number): Promise<{ decoded: number; refused: number }> {
  const random = seeded(name.length * 1000 + bytes.length + seed);
  const kinds = Object.keys(MUTATIONS);
  const outcome = { decoded: 0, refused: 0 };
  for (let i = 0; i < count; i++) {
    const kind = kinds[Math.floor(random() * kinds.length)]!;
    const mutated = MUTATIONS[kind]!(bytes, random);
    if (i % 3 > 0) repairOgg(mutated);
    const began = performance.now();
    const where = `${name}#${i} (${kind})`;
    try {
      const { samples, sampleRate } = await decodeAudio(mutated, { name: where, maxSamples: 2 ** 24 });
      expect(sampleRate).toBeGreaterThan(0);
      expect(samples.length).toBeGreaterThan(0);
      outcome.decoded++;
    } catch (error) {
      if (!(error instanceof EmosllmError)) throw new Error(`${where}: not an EmosllmError`, { cause: error });
      expect(["audio_decode", "audio_empty", "audio_unsupported"]).toContain(error.code);
      expect(error.message.startsWith(`${where}: `), error.message).toBe(true);
      expect(error.message.length).toBeGreaterThan(where.length + 5);
      outcome.refused++;
    }
    expect(performance.now() - began, where).toBeLessThan(20_000);
  }
  return outcome;
}

let ffmpeg: string | undefined;
beforeAll(async () => {
  ffmpeg = await findFfmpeg();
});

describe("mutated files", () => {
  test.each([
    ["wav", "wav/wav-pcm_16-2.wav", 400, false],
    ["wav extensible", "wav/wavex-pcm_16-6.wav", 200, false],
    ["wav rf64", "wav/rf64-pcm_16-2.wav", 200, false],
    ["flac", "compressed/flac-16-mono.flac", 120, false],
    ["flac stereo", "compressed/flac-level0.flac", 120, false],
    ["mp3", "compressed/mp3-mono-vbr.mp3", 30, false],
    ["ogg vorbis", "compressed/vorbis-mono.ogg", 30, false],
    ["ogg opus", "compressed/opus-mono.opus", 30, false],
    ["m4a", "compressed/aac.m4a", 2, true],
    ["aac", "compressed/aac-adts.aac", 2, true],
    ["mp4 5.1", "compressed/aac-5.1.mp4", 2, true],
    ["webm", "compressed/opus.webm", 2, true],
  ] as const)("%s", { timeout: full ? 3_600_000 : 60_000 }, async (name, path, count, needsFfmpeg) => {
    const before = process.memoryUsage().rss;
    const files = full ? 2000 : count;
    const { decoded, refused } = await fuzz(name, new Uint8Array(readFileSync(fixturePath(path))), files);
    expect(decoded + refused).toBe(files);
    if (files >= 30) expect(refused).toBeGreaterThan(0);
    if (files >= 30 && (!needsFfmpeg || ffmpeg)) expect(decoded).toBeGreaterThan(0);
    // maxSamples allows 64 MiB of sound; decoders' own memory and late collection come on top.
    expect(process.memoryUsage().rss - before).toBeLessThan(1.5 * 2 ** 30);
  });
});
