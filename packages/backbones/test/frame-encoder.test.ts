import { afterEach, describe, expect, test } from "vitest";
import { type FrameEncoder, type FrameEncoderOptions, frameEncoder, openSpeechEncoder } from "../src/index.ts";
import { planWindows } from "../src/speech/windows.ts";
import { LIMIT, apart, fixture, golden, lengthsOf } from "./golden.ts";

const opened: FrameEncoder[] = [];
async function open(name: string, options: FrameEncoderOptions = {}): Promise<FrameEncoder> {
  const encoder = frameEncoder(await openSpeechEncoder(fixture(name)), { threads: 1, ...options });
  opened.push(encoder);
  return encoder;
}
afterEach(async () => {
  for (const encoder of opened.splice(0)) await encoder.dispose();
});

/** Voiced sound with a moving pitch and level, noise, an offset, as every sample's place demands. */
function speech(seconds: number, seed = 1): Float32Array {
  let state = seed;
  const noise = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  let phase = 0;
  return Float32Array.from({ length: Math.round(seconds * 16_000) }, (_, i) => {
    const t = i / 16_000;
    phase += (2 * Math.PI * (150 + 60 * Math.sin(2.1 * t + seed))) / 16_000;
    const level = 0.15 * (1.2 + Math.sin(5 * t)) * (1 + 0.5 * Math.sin(0.3 * t));
    return 0.02 + level * (Math.sin(phase) + 0.4 * Math.sin(3 * phase) + 0.1 * noise());
  });
}

async function clips(name: string): Promise<Float32Array[]> {
  const reference = await golden(name);
  const sound = reference("waveform");
  const samples = sound.shape[1] as number;
  return lengthsOf(reference("lengths")).map((length, r) =>
    (sound.data as Float32Array).slice(r * samples, r * samples + length),
  );
}

/** max |a - b| / max |b| of frames `[from, to)`. */
function distance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  let [difference, largest] = [0, 0];
  a.forEach((v, i) => {
    difference = Math.max(difference, Math.abs(v - (b[i] as number)));
    largest = Math.max(largest, Math.abs(b[i] as number));
  });
  return difference / largest;
}

const asTensor = (data: Float32Array, width: number) =>
  ({ dtype: "f32", shape: [data.length / width, width], data }) as const;

test.each(["wavlm-large", "wav2vec2-large", "hubert-large"])(
  "%s: clips of different lengths in one batch, as transformers has them alone and padded",
  async (name) => {
    const [reference, encoder, rows] = [await golden(name), await open(name), await clips(name)];
    const out = await encoder.encode(rows);
    const last = reference("last");
    const [steps, width] = last.shape.slice(1) as [number, number];
    out.forEach(({ data, frames }, r) => {
      const row = (last.data as Float32Array).subarray(r * steps * width, (r * steps + frames) * width);
      expect(apart(asTensor(data, width), asTensor(row, width), [frames]), `clip ${r}`).toBeLessThan(LIMIT);
    });
    expect(apart(asTensor(out[1]!.data, width), reference("alone"), [out[1]!.frames])).toBeLessThan(LIMIT);
  },
);

test.each(["wavlm-base", "wav2vec2-base", "hubert-base"])(
  "%s: clips of different lengths, each alone",
  async (name) => {
    const [reference, encoder, rows] = [await golden(name), await open(name), await clips(name)];
    const [first, second] = await encoder.encode(rows);
    const width = encoder.features;
    expect(apart(asTensor(first!.data, width), reference("last"), [first!.frames])).toBeLessThan(LIMIT);
    expect(apart(asTensor(second!.data, width), reference("alone"), [second!.frames])).toBeLessThan(LIMIT);
  },
);

test("several layers stand side by side, the last one after the final norm", async () => {
  const rows = await clips("wavlm-large");
  const reference = await golden("wavlm-large");
  const [all, some, one] = await Promise.all(
    (["all", [2, 0], -2] as const).map(async (layers) => open("wavlm-large", { layers })),
  );
  expect([all!.layers, some!.layers, one!.layers]).toEqual([[0, 1, 2], [0, 2], [1]]);
  const [a] = await all!.encode(rows);
  const [s] = await some!.encode(rows);
  const [o] = await one!.encode(rows);
  expect(a!.features).toBe(72);
  const layer = (clip: { data: Float32Array; frames: number; features: number }, at: number): Float32Array =>
    Float32Array.from(
      { length: clip.frames * 24 },
      (_, i) => clip.data[Math.floor(i / 24) * clip.features + at * 24 + (i % 24)]!,
    );
  expect(layer(s!, 0)).toEqual(layer(a!, 0));
  expect(layer(s!, 1)).toEqual(layer(a!, 2));
  expect(o!.data).toEqual(layer(a!, 1));
  for (const [i, key] of [
    [0, "hidden.0"],
    [1, "hidden.1"],
    [2, "last"],
  ] as const)
    expect(apart(asTensor(layer(a!, i), 24), reference(key), [a!.frames]), key).toBeLessThan(LIMIT);
});

test.each<[FrameEncoderOptions["layers"], RegExp]>([
  [3, /layer 3: the encoder has 0 .* to 2, or -1 \(the last\) to -3/],
  [-4, /layer -4/],
  [[], /one or more are needed/],
  [[1, -2], /none twice/],
  [0.5, /layer 0.5/],
])("layers %j are refused", async (layers, message) => {
  await expect(open("wavlm-large", { layers })).rejects.toThrow(message);
});

describe("windows", () => {
  test("every frame comes from exactly one window, with its context on both sides as far as the clip goes", () => {
    let seed = 7;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    for (let k = 0; k < 200; k++) {
      const context = random(20);
      const window = 2 * context + 1 + random(30);
      const [hop, width] = [320, 320 + random(200)];
      const frames = 1 + random(400);
      const samples = (frames - 1) * hop + width + random(hop);
      const plan = planWindows(samples, frames, { window, context, hop, width });
      let next = 0;
      for (const { start, end, first, from, to } of plan) {
        expect(from).toBe(next);
        expect(to).toBeGreaterThan(from);
        expect(start).toBe(first * hop);
        expect(end).toBeLessThanOrEqual(samples);
        // Its last sample is there, and no more than the window's frames come out.
        const got = Math.floor((end - start - width) / hop) + 1;
        if (plan.length > 1) {
          expect(got).toBe(window);
          expect(from - first).toBeGreaterThanOrEqual(first === 0 ? 0 : context);
          expect(first + window - to).toBeGreaterThanOrEqual(first + window === frames ? 0 : context);
        }
        next = to;
      }
      expect(next).toBe(frames);
    }
    expect(() => planWindows(1e6, 100, { window: 10, context: 5, hop: 320, width: 400 })).toThrow(/keep nothing/);
  });

  // What frames are before attention: convolutions, scaling and norms over the whole clip, the convolution for positions. Equal to the whole
  // clip's to rounding, since the context is longer than what that convolution sees.
  test.each(["wavlm-large", "hubert-large", "wavlm-base", "hubert-base", "wav2vec2-base"])(
    "%s: what enters the transformer is the whole clip's, to rounding, at every seam",
    async (name) => {
      const clip = speech(9.3);
      const whole = await open(name, { layers: 0 });
      const windowed = await open(name, { layers: 0, windowSeconds: 2, contextSeconds: 0.5 });
      const [[a], [b]] = [await windowed.encode([clip]), await whole.encode([clip])];
      expect(distance(a!.data, b!.data)).toBeLessThan(LIMIT);
    },
  );

  // After attention a frame depends on all that is in reach. These random models attend evenly to everything, so that far frames count as
  // much as near ones. Measured, of the largest value: 5 and 4 % with 0.5 s of context, 3 and 2 % with 1.5 s, 0.9 and 0.6 % with 5 s.
  test.each(["wavlm-large", "wavlm-base"])("%s: more context brings seams nearer to the whole clip", async (name) => {
    const clip = speech(12.1, 3);
    const [whole] = await (await open(name)).encode([clip]);
    const errors: number[] = [];
    for (const contextSeconds of [0.5, 1.5, 3, 5]) {
      const encoder = await open(name, { windowSeconds: 2 * contextSeconds + 1, contextSeconds });
      const [frames] = await encoder.encode([clip]);
      errors.push(distance(frames!.data, whole!.data));
    }
    expect(errors).toEqual([...errors].sort((a, b) => b - a));
    expect(errors[0]!).toBeLessThan(0.06);
    expect(errors[3]!).toBeLessThan(0.012);
  });

  test("a long clip's windows go through beside other clips, which do not change", async () => {
    for (const name of ["wavlm-large", "hubert-base"]) {
      const encoder = await open(name, { windowSeconds: 2, contextSeconds: 0.5, batchSeconds: 5 });
      const [long, short] = [speech(5.2), speech(1.3, 4)];
      const [alone] = await encoder.encode([short]);
      const [, beside] = await encoder.encode([long, short]);
      expect(distance(beside!.data, alone!.data)).toBeLessThan(LIMIT);
    }
  });

  test("whisper: a clip longer than its window is that of the windows alone", async () => {
    const clip = speech(3.07, 5);
    const encoder = await open("whisper", { windowSeconds: 40, contextSeconds: 0.2 });
    const [joined] = await encoder.encode([clip]);
    // The tiny model hears 1 s: 50 frames, of which the inner ends give up 10.
    const frames = Math.ceil(clip.length / 320);
    expect(joined!.frames).toBe(frames);
    const plan = planWindows(clip.length, frames, { window: 50, context: 10, hop: 320, width: 320 });
    expect(plan.length).toBeGreaterThan(3);
    const width = encoder.features;
    for (const { start, end, first, from, to } of plan) {
      const [own] = await encoder.encode([clip.slice(start, end)]);
      const ours = joined!.data.subarray(from * width, to * width);
      expect(distance(ours, own!.data.subarray((from - first) * width, (to - first) * width))).toBeLessThan(LIMIT);
    }
  });

  test("context that leaves nothing of a window is refused", async () => {
    await expect(open("whisper", { contextSeconds: 0.5 })).rejects.toThrow(
      /windowSeconds 40 must be more than twice contextSeconds 0.5, and the model takes 1 s at most/,
    );
  });
});

test("from one frame on; shorter clips and broken samples are refused by place", async () => {
  const encoder = await open("wavlm-large");
  const [one, two] = await encoder.encode([speech(0.025), speech(0.045)]);
  expect([one!.frames, two!.frames]).toEqual([1, 2]);
  expect(encoder.startSeconds).toBe(0.0125);
  await expect(encoder.encode([speech(1), speech(0.02)])).rejects.toThrow(
    /clip 1: 320 samples \(20.0 ms\); the encoder's first frame needs 400 \(25.0 ms\)/,
  );
  await expect(encoder.encode([Float32Array.of()])).rejects.toMatchObject({ code: "audio_empty" });
  const broken = speech(1);
  broken[77] = NaN;
  await expect(encoder.encode([broken])).rejects.toThrow(/clip 0: sample 77 is NaN/);
  expect(await encoder.encode([])).toEqual([]);
  // Whisper pads: any length gives a frame.
  const [tiny] = await (await open("whisper", { contextSeconds: 0.1 })).encode([speech(0.001)]);
  expect(tiny!.frames).toBe(1);
});

test.skipIf(!process.env["EMOSLLM_FULL"])("half an hour in windows of 40 s", { timeout: 300_000 }, async () => {
  for (const name of ["wavlm-large", "hubert-base"]) {
    const encoder = await open(name, { threads: 2 });
    const [out] = await encoder.encode([speech(1800)]);
    expect(out!.frames).toBe(Math.floor((1800 * 16_000 - 400) / 320) + 1);
    expect(out!.data.every(Number.isFinite)).toBe(true);
  }
});
