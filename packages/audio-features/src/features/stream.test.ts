import { expect, test } from "vitest";
import { batchFeatures } from "./batch.ts";
import { kaldiFbank } from "./kaldi.ts";
import { librosaMfcc } from "./librosa.ts";
import { logMel } from "./log-mel.ts";
import { streamLogMel } from "./stream-log-mel.ts";
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

test.each([
  [1, 1601, null],
  [97, 8000, null],
  [160, 8000, 30],
  [1000, 8000, 0.52],
  [1000, 8000, 0.3],
  [8000, 8000, 0.5],
  [3, 150, null],
  [70, 199, 30],
  [333, 4001, null],
])("log-mel in blocks of %i of %i samples, padded to %s s, has the bits of the whole", (block, length, padSeconds) => {
  const sound = clip.subarray(0, length);
  const whole = logMel(sound, 16000, { padSeconds });
  const stream = streamLogMel(16000, { padSeconds });
  const rows: number[] = [];
  for (let at = 0; at < length; at += block) {
    const frames = stream.push(sound.subarray(at, Math.min(length, at + block)));
    if (frames === undefined) continue;
    expect(frames.startSeconds).toBeCloseTo((rows.length / 80) * 0.01, 10);
    rows.push(...frames.data);
    expect(stream.frames).toBe(rows.length / 80);
  }
  const { data, ...about } = stream.finish();
  const { data: wholeData, ...wholeAbout } = whole;
  expect(about).toEqual(wholeAbout);
  // bytes: an element-wise matcher takes seconds over 30 s of frames
  expect(Buffer.from(data.buffer).equals(Buffer.from(wholeData.buffer))).toBe(true);
  const floor = 4 * wholeData.reduce((a, b) => Math.max(a, b), -1) - 4 - 8;
  for (let i = 0; i < rows.length; i += 79) expect((Math.max(floor, rows[i]!) + 4) / 4).toBeCloseTo(wholeData[i]!, 5);
});

test("a log-mel stream refuses what logMel refuses", () => {
  expect(() => streamLogMel(8000)).toThrow("not 8000 Hz");
  expect(() => streamLogMel().finish()).toThrow("no samples");
  expect(() => streamLogMel().push(Float32Array.of(0, NaN))).toThrow("sample 1 is NaN");
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
