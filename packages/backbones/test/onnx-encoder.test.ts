/** Encoders exported by PyTorch (`tools/oracle/encoders_onnx.py`), run by transformers.js: transformers' numbers again. */
import { expect, test } from "vitest";
import { frameEncoder, openOnnxEncoder, openSpeechEncoder } from "../src/index.ts";
import { LIMIT, apart, fixture, golden, lengthsOf } from "./golden.ts";

async function clips(name: string): Promise<Float32Array[]> {
  const reference = await golden(name);
  const sound = reference("waveform");
  const samples = sound.shape[1] as number;
  return lengthsOf(reference("lengths")).map((length, r) =>
    (sound.data as Float32Array).slice(r * samples, r * samples + length),
  );
}
const tensor = (data: Float32Array, width: number) =>
  ({ dtype: "f32", shape: [data.length / width, width], data }) as const;

test.each(["wavlm-large", "hubert-base", "whisper"])(
  "%s: the frames of transformers and of our own encoder",
  async (name) => {
    const encoder = await openOnnxEncoder(fixture(`onnx/${name}`));
    const own = frameEncoder(await openSpeechEncoder(fixture(name)), { threads: 1 });
    try {
      const sound = await clips(name);
      const [ours, theirs] = [await own.encode(sound), await encoder.encode(sound)];
      for (const key of [
        "modelType",
        "layers",
        "features",
        "sampleRate",
        "hopSeconds",
        "startSeconds",
        "settings",
      ] as const)
        expect(encoder[key]).toEqual(own[key]);
      sound.forEach((_, i) => {
        const [a, b] = [theirs[i]!, ours[i]!];
        expect(a.frames).toBe(b.frames);
        expect(apart(tensor(a.data, 24), tensor(b.data, 24), [a.frames]), `clip ${i}`).toBeLessThan(LIMIT);
      });
      if (name === "whisper") return;
      const reference = await golden(name);
      expect(apart(tensor(theirs[0]!.data, 24), reference("last"), [theirs[0]!.frames])).toBeLessThan(LIMIT);
      expect(apart(tensor(theirs[1]!.data, 24), reference("alone"), [theirs[1]!.frames])).toBeLessThan(LIMIT);
    } finally {
      await encoder.dispose();
      await own.dispose();
    }
  },
);

test("hidden states where the export has them, a clear refusal where not; windows as our own encoder's", async () => {
  const [clip] = await clips("wavlm-large");
  const long = new Float32Array(4 * clip!.length);
  for (let i = 0; i < 4; i++) long.set(clip!, i * clip!.length);
  const options = { layers: "all", windowSeconds: 0.6, contextSeconds: 0.1 } as const;
  const encoder = await openOnnxEncoder(fixture("onnx/wavlm-large"), options);
  const own = frameEncoder(await openSpeechEncoder(fixture("wavlm-large")), { ...options, threads: 1 });
  const [[a], [b]] = [await encoder.encode([long]), await own.encode([long])];
  expect(apart(tensor(a!.data, 72), tensor(b!.data, 72), [a!.frames])).toBeLessThan(LIMIT);
  await encoder.dispose();
  await own.dispose();

  const hubert = await openOnnxEncoder(fixture("onnx/hubert-base"), { layers: 1 });
  await expect(hubert.encode([clip!])).rejects.toThrow(/layer 1: this ONNX export has no output 'hidden_states.1'/);
  await hubert.dispose();
  await expect(openOnnxEncoder(fixture("onnx/hubert-base"), { dtype: "q4" })).rejects.toMatchObject({
    code: "checkpoint_invalid",
  });
  await expect(openOnnxEncoder(fixture("llama"))).rejects.toThrow(/preprocessor_config.json cannot be read/);
});
