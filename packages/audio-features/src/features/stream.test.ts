import { expect, test } from "vitest";
import { batchFeatures } from "./batch.ts";
import { kaldiFbank } from "./kaldi.ts";
import { librosaMfcc } from "./librosa.ts";
import { streamKaldiFbank } from "./stream.ts";

const clip = new Float32Array(8000).map((_, i) => Math.sin(i / 9) * Math.sin(i / 700) + ((i * 7919) % 83) / 900);

test.each([1, 97, 160, 400, 1000, 8000])("blocks of %i samples give the frames of the whole", (block) => {
  const whole = kaldiFbank(clip, 16000, { numMelBins: 40 });
  const stream = streamKaldiFbank(16000, { numMelBins: 40 });
  const got: number[] = [];
  for (let at = 0; at < clip.length; at += block) {
    const frames = stream.push(clip.subarray(at, at + block));
    if (frames === undefined) continue;
    expect(frames.startSeconds).toBeCloseTo(whole.startSeconds + (got.length / 40) * 0.01, 10);
    got.push(...frames.data);
  }
  expect(stream.frames).toBe(whole.frames);
  expect(got).toEqual([...whole.data]);
});

test("a clip in a batch has the numbers of the clip alone, and a mask", () => {
  const [long, short] = [librosaMfcc(clip, 16000), librosaMfcc(clip.subarray(0, 3000), 16000)];
  const batch = batchFeatures([short, long], { frames: 20 });
  expect([batch.clips, batch.frames, batch.features]).toEqual([2, 20, 20]);
  expect([...batch.data.subarray(0, short.data.length)]).toEqual([...short.data]);
  expect(batch.data.subarray(short.data.length, 400).every((x) => x === 0)).toBe(true);
  expect([...batch.data.subarray(400, 400 + long.data.length)]).toEqual([...long.data]);
  expect(batch.mask.reduce((a, b) => a + b, 0)).toBe(short.frames + long.frames);
  expect(() => batchFeatures([])).toThrow("at least one clip");
  expect(() => batchFeatures([long], { frames: 3 })).toThrow(`${long.frames} frames, more than the 3`);
});
