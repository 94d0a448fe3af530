import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSpeechFrames, detectSpeech, encodeWav, findFfmpeg, loadSpeech, streamSpeech } from "../src/index.ts";
import { seeded } from "./fixtures.ts";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "emosllm-stream-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const random = seeded(5);
/** Bursts of a tone in weak noise. */
const bursts = (rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: rate * seconds }, (_, i) => {
    const t = i / rate;
    return (t % 3 < 1.7 ? 0.3 * Math.sin(2 * Math.PI * 180 * t) : 0) + 0.001 * (random() - 0.5);
  });

async function joined(blocks: AsyncIterable<Float32Array>): Promise<{ samples: Float32Array; longest: number }> {
  const parts: Float32Array[] = [];
  for await (const block of blocks) parts.push(block);
  const samples = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return { samples, longest: Math.max(...parts.map((p) => p.length)) };
}

test.each([16_000, 44_100, 8000])(
  "blocks of a WAV file at %i Hz are bit for bit what loadSpeech gives",
  async (rate) => {
    const file = join(folder, `${rate}.wav`);
    const samples = bursts(rate, 7);
    await writeFile(file, encodeWav({ samples: [samples, samples.map((v) => v / 2)], sampleRate: rate }));
    const { samples: streamed, longest } = await joined(streamSpeech(file, { blockSeconds: 1.3 }));
    expect(streamed).toEqual(await loadSpeech(file));
    expect(longest).toBeLessThan(1.5 * 16_000);
  },
);

test("other formats come through ffmpeg with the same samples; without it as a whole", async () => {
  const wav = join(folder, "for-flac.wav");
  const flac = join(folder, "a.flac");
  await writeFile(wav, encodeWav({ samples: [bursts(22_050, 5)], sampleRate: 22_050 }));
  if (!(await findFfmpeg())) return expect((await joined(streamSpeech(wav))).samples).toEqual(await loadSpeech(wav));
  expect(spawnSync("ffmpeg", ["-v", "error", "-y", "-i", wav, flac]).status).toBe(0);
  expect((await joined(streamSpeech(flac, { blockSeconds: 0.7 }))).samples).toEqual(await loadSpeech(flac));
});

test("a damaged file fails with its name", async () => {
  const file = join(folder, "cut.wav");
  await writeFile(file, "RIFF0000WAVEnothing");
  await expect(joined(streamSpeech(file))).rejects.toThrow(/cut\.wav/);
  await expect(joined(streamSpeech(join(folder, "none.wav")))).rejects.toThrow(/none\.wav: no such file/);
});

test("a clip within the history gets detectSpeech's decisions, however it is cut into blocks", () => {
  const samples = bursts(16_000, 12);
  const whole = detectSpeech(samples, 16_000, { minSpeech: 0, minPause: 0 });
  const spoken = whole.reduce((sum, { start, end }) => sum + end - start, 0);
  for (const block of [160, 1000, 16_001, samples.length]) {
    const frames = createSpeechFrames(16_000, { lookahead: 12 });
    const decisions: number[] = [];
    for (let at = 0; at < samples.length; at += block) decisions.push(...frames.push(samples.subarray(at, at + block)));
    decisions.push(...frames.flush());
    const speech = decisions.reduce((a, b) => a + b, 0);
    expect(decisions).toHaveLength(1 + Math.floor((samples.length - 400) / 160));
    // Levels are rounded to 0.1 dB, which moves a border by a frame at most: 8 borders.
    expect(Math.abs(speech / frames.rate - spoken)).toBeLessThanOrEqual(0.08);
  }
});

test("floor and peak follow the recording: quiet speech is found long after loud speech, and noise is none", () => {
  const frames = createSpeechFrames(16_000, { history: 10 });
  const share = (samples: Float32Array): number => {
    const decisions = frames.push(samples);
    return decisions.reduce((a, b) => a + b, 0) / decisions.length;
  };
  expect(share(bursts(16_000, 30))).toBeCloseTo(1.7 / 3, 1);
  // Of the two seconds that waited for their decision, most were a burst: 1.7 / 30.
  expect(share(Float32Array.from({ length: 16_000 * 30 }, () => 0.001 * (random() - 0.5)))).toBeLessThan(0.06);
  expect(share(bursts(16_000, 30).map((v) => v * 0.02))).toBeCloseTo(1.7 / 3, 1);
});
