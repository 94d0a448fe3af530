/** Windows and segments on sound whose truth is known: tones of three pitches stand for three emotions, told apart by counting zero crossings. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  createSpeechWindows,
  createTimeline,
  emotionTimeline,
  type JudgedWindow,
  type TimelineSegment,
} from "../src/index.ts";
import { randoms } from "./tiny.ts";

const RATE = 8000;
const LABELS = ["low", "middle", "high"];
const PITCH: Readonly<Record<string, number>> = { low: 120, middle: 300, high: 700 };

/** `parts` are label and seconds; a label that is none is silence (weak noise). */
function recording(parts: readonly (readonly [string, number])[]): Float32Array {
  const r = randoms(3);
  const out = new Float32Array(parts.reduce((n, [, s]) => n + Math.round(s * RATE), 0));
  let at = 0;
  for (const [label, seconds] of parts)
    for (let i = 0; i < Math.round(seconds * RATE); i++, at++)
      out[at] =
        (PITCH[label] ? 0.3 * Math.sin((2 * Math.PI * PITCH[label] * at) / RATE) : 0) + 0.0005 * (r() as number);
  return out;
}

/** Shares of 50 ms pieces whose zero crossings are nearest to each pitch. */
const judge = (samples: Float32Array): Record<string, number> => {
  const counts = LABELS.map(() => 1e-3);
  for (let at = 0; at + 400 <= samples.length; at += 400) {
    let crossings = 0;
    for (let i = at + 1; i < at + 400; i++) if (samples[i - 1]! < 0 !== samples[i]! < 0) crossings++;
    const hz = crossings * 10;
    const near = LABELS.map((l) => Math.abs(Math.log(hz / PITCH[l]!)));
    counts[near.indexOf(Math.min(...near))]!++;
  }
  const total = counts.reduce((a, b) => a + b, 0);
  return Object.fromEntries(LABELS.map((l, k) => [l, counts[k]! / total]));
};
const model = {
  labels: LABELS,
  manifest: { front_end: { sample_rate: RATE }, scoring: { abstain_below: null } },
  score: async (inputs: readonly { audio: Float32Array }[]) =>
    inputs.map(({ audio }) => ({ probabilities: judge(audio) })),
} as unknown as Parameters<typeof emotionTimeline>[0];

async function* blocks(samples: Float32Array, size: number): AsyncGenerator<Float32Array> {
  for (let at = 0; at < samples.length; at += size) yield samples.subarray(at, at + size);
}
async function all(samples: Float32Array, size = 8000): Promise<TimelineSegment[]> {
  const out: TimelineSegment[] = [];
  for await (const segment of emotionTimeline(model, blocks(samples, size))) out.push(segment);
  return out;
}

test("emotions that follow each other within one stretch of speech, and across a silence", async () => {
  const sound = recording([
    ["-", 2],
    ["low", 9],
    ["high", 8],
    ["-", 3],
    ["high", 5],
    ["-", 2],
    ["middle", 1],
    ["-", 1],
  ]);
  const segments = await all(sound);
  expect(segments.map((s) => s.label)).toEqual(["low", "high", "high", "middle"]);
  const truth = [2, 11, 11, 19, 22, 27, 29, 30];
  // Borders between emotions are told to the resolution (1 s), those of speech to the padding (0.1 s) and a frame.
  segments.forEach(({ start, end }, i) => {
    expect(Math.abs(start - truth[2 * i]!)).toBeLessThan(i === 1 ? 1 : 0.15);
    expect(Math.abs(end - truth[2 * i + 1]!)).toBeLessThan(i === 0 ? 1 : 0.15);
  });
  for (const { probabilities } of segments)
    expect(Object.values(probabilities).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
});

test("the same segments however the recording is cut into blocks", async () => {
  const sound = recording([
    ["-", 2],
    ["low", 7],
    ["-", 1],
    ["middle", 6.3],
    ["high", 5],
    ["-", 4],
    ["low", 0.6],
  ]);
  const once = await all(sound, sound.length);
  expect(once.length).toBeGreaterThan(3);
  for (const size of [80, 777, 8000, 50_000]) expect(await all(sound, size)).toEqual(once);
});

test("silence alone and an empty recording have no segments", async () => {
  expect(await all(recording([["-", 20]]))).toEqual([]);
  expect(await all(new Float32Array(RATE * 5))).toEqual([]);
  expect(await all(new Float32Array(0))).toEqual([]);
});

test("windows cover all speech, overlap as asked, and are no longer than asked", () => {
  const windows = createSpeechWindows(RATE, { window: 3, hop: 1 });
  const list = [
    ...windows.push(
      recording([
        ["-", 3],
        ["low", 8.5],
        ["-", 1],
        ["high", 2],
        ["-", 2],
      ]),
    ),
    ...windows.flush(),
  ];
  const first = list.filter((w) => w.region === 0);
  expect(first[0]!.start).toBeCloseTo(2.9, 1);
  expect(first.at(-1)!.end).toBeCloseTo(11.6, 1);
  first.slice(1, -1).forEach((w, i) => expect(w.start - first[i]!.start).toBeCloseTo(1, 6));
  for (const w of list) expect(w.samples.length).toBe(Math.round((w.end - w.start) * RATE));
  expect(list.filter((w) => w.region === 1)).toHaveLength(1);
  expect(() => createSpeechWindows(RATE, { window: 1, hop: 2 })).toThrow(/windows of 1 s every 2 s/);
});

const window = (region: number, start: number, end: number, low: number): JudgedWindow => ({
  region,
  start,
  end,
  probabilities: { low, middle: 1 - low, high: 0 },
});

test("hysteresis: a short or narrow lead changes nothing, a clear and lasting one does", () => {
  const of = (options: object, lows: readonly number[]) => {
    const t = createTimeline(LABELS, options);
    const out = lows.flatMap((p, i) => t.push(window(0, i, i + 1, p)));
    return [...out, ...t.flush()].map(({ start, end, label }) => [start, end, label]);
  };
  const flicker = [0.9, 0.9, 0.2, 0.9, 0.9, 0.47, 0.47, 0.47, 0.9];
  expect(of({}, flicker)).toEqual([[0, 9, "low"]]);
  expect(of({ hysteresis: 0, hold: 0 }, flicker).map((s) => s[2])).toEqual(["low", "middle", "low", "middle", "low"]);
  expect(of({}, [0.9, 0.9, 0.1, 0.1, 0.1, 0.1])).toEqual([
    [0, 2, "low"],
    [2, 6, "middle"],
  ]);
  expect(of({ abstainBelow: 0.95 }, [0.9, 0.9])).toEqual([[0, 2, null]]);
});

test("whatever windows come: segments are in order, apart, within the windows, and cover them", () => {
  const stretch = fc.array(
    fc.tuple(fc.double({ min: 0.05, max: 2, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(
      fc.array(stretch, { maxLength: 5 }),
      fc.double({ min: 0.2, max: 3, noNaN: true }),
      (regions, resolution) => {
        const t = createTimeline(LABELS, { resolution, hold: resolution * 1.5 });
        let at = 0;
        let covered = 0;
        const out = regions.flatMap((steps, region) => {
          const begin = at;
          const found = steps.flatMap(([hop, low]) => t.push(window(region, (at += hop) - hop, at + 2, low)));
          covered += at + 2 - steps.at(-1)![0] - begin + steps.at(-1)![0];
          at += 3;
          return found;
        });
        out.push(...t.flush());
        expect(out.reduce((sum, s) => sum + s.end - s.start, 0)).toBeCloseTo(covered, 6);
        out.forEach((s, i) => {
          expect(s.end).toBeGreaterThan(s.start);
          if (i > 0) expect(s.start).toBeGreaterThanOrEqual(out[i - 1]!.end - 1e-9);
          expect(Object.values(s.probabilities).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
        });
      },
    ),
    { numRuns: 200 },
  );
  expect(() => createTimeline(LABELS, { resolution: 0 })).toThrow(/out of range/);
  const t = createTimeline(LABELS);
  t.push(window(0, 5, 6, 1));
  expect(() => t.push(window(0, 4, 6, 1))).toThrow(/after one at 5 s/);
});
