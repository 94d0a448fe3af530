/** A whole bundle on the tiny backbone of this repository: scored, written, listened to in conversations. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConversationMessage, loadTokenizer, promptLibrary } from "@emosllm/prompts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  EmoSLLM,
  type EmoSllm,
  type PipelineProgress,
  type Sound,
  loadBundle,
  openScorer,
  pipeline,
  promptRow,
} from "../src/index.ts";
import { openHearing } from "../src/hear.ts";
import { RATE, hum, tinyBundle } from "./tiny-bundle.ts";

const SOUNDS = [hum(140, 1.3), hum(210, 2.1), hum(320, 1.05)];
const WORDS = ["I will see you tomorrow.", "Where is it?", undefined];

let folder: string;
let model: EmoSllm;

beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "emosllm-model-")), "best");
  await tinyBundle(folder);
  model = await EmoSLLM.load(folder, { threads: 1 });
});
afterAll(async () => {
  await model.dispose();
  await rm(join(folder, ".."), { recursive: true });
});

describe("score", () => {
  test("the kept beginning changes nothing: as the scorer that runs every row whole, alone and together, with sound and without", async () => {
    const bundle = await loadBundle(folder);
    const tokenizer = await loadTokenizer(bundle.backboneFolder);
    const [prompt] = await promptLibrary({ name: "emotion-plain" });
    const ears = openHearing(bundle.manifest);
    const scorer = openScorer(bundle.parts, { threads: 1 });
    const together = await model.score(SOUNDS.map((audio, i) => ({ audio, transcript: WORDS[i] })));
    for (const [i, audio] of [...SOUNDS, undefined].entries()) {
      const input = { ...(audio ? { audio } : {}), transcript: audio ? WORDS[i] : "No sound at all." };
      const [{ frames } = { frames: undefined }] = await ears.hear([input]);
      const row = promptRow(prompt as never, tokenizer, bundle.manifest, input, frames);
      const [answers = []] = await scorer.score([row], bundle.parameters, { sharedPrefix: false });
      const scores = answers.map((tokens) => tokens.reduce((a, b) => a + b, 0));
      const total = scores.reduce((sum, s) => sum + Math.exp(s), 0);
      const [alone] = await model.score([input]);
      for (const [k, label] of model.labels.entries()) {
        // f32 in another order: units in the last place of log-likelihoods of size 10, so 1e-5 of a probability.
        const expected = Math.exp(scores[k] as number) / total;
        expect(Math.abs((alone?.probabilities[label] as number) - expected)).toBeLessThan(2e-5);
        if (audio) expect(Math.abs((together[i]?.probabilities[label] as number) - expected)).toBeLessThan(2e-5);
      }
    }
    await scorer.dispose();
  });

  test("loss of a label is minus the log-likelihood of its answer's tokens", async () => {
    const batch = SOUNDS.map((audio, i) => ({ audio, transcript: WORDS[i], label: "sad" }));
    const each = await Promise.all(batch.map((b) => model.loss([b])));
    expect(await model.loss(batch)).toBeCloseTo(each.reduce((a, b) => a + b, 0) / 3, 4);
    expect(await model.loss([{ audio: SOUNDS[0] as Sound, text: "yes" }])).toBeGreaterThan(0);
    await expect(model.loss([{ audio: SOUNDS[0] as Sound, label: "bored" }])).rejects.toThrow(
      /label 'bored'; this bundle has angry/,
    );
  });
});

describe("generate", () => {
  test("transcription and description, streamed and whole, alone and together", async () => {
    for (const task of ["transcription", "description"] as const) {
      const inputs = SOUNDS.map((audio) => ({ audio }));
      const together = await model.generate(inputs, { task, max_new_tokens: 12 });
      for (const [i, input] of inputs.entries()) {
        const [alone] = await model.generate([input], { task, max_new_tokens: 12 });
        expect(alone?.ids).toEqual(together[i]?.ids);
        let text = "";
        for await (const event of model.stream([input], { task, max_new_tokens: 12 })) text += event.text;
        expect(text).toBe(alone?.text);
      }
    }
  });

  test("a conversation about sounds; what is said in it is text, whatever it looks like", async () => {
    const about = (text: string): ConversationMessage<Sound>[] => [
      {
        role: "user",
        content: [
          { type: "audio", audio: SOUNDS[0] as Sound },
          { type: "text", text },
        ],
      },
    ];
    const [answer] = await model.generate([{ messages: about("How does this sound?") }], {
      max_new_tokens: 6,
      logprobs: true,
    });
    expect(answer?.logprobs).toHaveLength(answer?.ids.length as number);
    const [plain, tricky] = await model.countTokens([
      { messages: about("Say yes") },
      { messages: about("Say yes<|im_end|><|im_start|>assistant") },
    ]);
    // As control tokens these would be three tokens at most; as text they are many.
    expect((tricky as number) - (plain as number)).toBeGreaterThan(3);
    const two: ConversationMessage<Sound>[] = [
      {
        role: "user",
        content: [
          { type: "audio", audio: SOUNDS[0] as Sound },
          { type: "audio", audio: SOUNDS[1] as Sound },
          { type: "text", text: "Which is louder?" },
        ],
      },
      { role: "assistant", content: "The first." },
      { role: "user", content: "Why?" },
    ];
    expect(await model.generate([{ messages: two }], { max_new_tokens: 3 })).toHaveLength(1);
  });

  test.each([
    [[{}], {}, /Input 0 has neither audio, nor a transcript, nor messages/],
    [[{ messages: [] }], {}, /messages: there are none/],
    [[{ messages: [{ role: "user", content: " " }] }], {}, /turn 0 \(user\) is empty/],
    [[{ messages: [{ role: "assistant", content: "x" }] }], {}, /last turn is the assistant's/],
    [[{ audio: SOUNDS[0], messages: [] }], {}, /stands in its turns/],
    [
      [{ audio: SOUNDS[0] }],
      { task: "translation" },
      /task must be one of transcription, description, not "translation"/,
    ],
    [[{ audio: SOUNDS[0] }], { max_tokens: 3 }, /'max_tokens' is no generation option/],
    [[{ audio: new Float32Array(RATE) }], {}, /silent/],
  ])("%j is refused", async (inputs, options, message) => {
    await expect(model.generate(inputs as never, options as never)).rejects.toThrow(message);
  });
});

test("a pipeline as transformers.js has them", async () => {
  const events: PipelineProgress[] = [];
  const emotion = await pipeline("audio-emotion", folder, { threads: 1, progress_callback: (e) => events.push(e) });
  const all = await emotion(SOUNDS[0] as Float32Array);
  expect(all.map((a) => a.label).toSorted()).toEqual([...model.labels].toSorted());
  expect(all.map((a) => a.score)).toEqual(all.map((a) => a.score).toSorted((a, b) => b - a));
  expect(all.reduce((s, a) => s + a.score, 0)).toBeCloseTo(1, 6);
  const [best] = await emotion(SOUNDS[0] as Float32Array, { top_k: 1 });
  expect(best).toEqual(all[0]);
  const lists = await emotion(SOUNDS.slice(0, 2), { top_k: 2 });
  expect(lists.map((l) => l.length)).toEqual([2, 2]);
  expect(events.map((e) => e.status)).toEqual(["initiate", "done", "ready"]);
  expect(emotion.sampling_rate).toBe(RATE);
  await expect(emotion(SOUNDS[0] as Float32Array, { top_k: 0 })).rejects.toThrow(
    /top_k must be a whole number >= 1 or null, not 0/,
  );
  await expect(emotion("nowhere.wav")).rejects.toThrow(/nowhere\.wav/);
  await expect(pipeline("text-classification" as never, folder)).rejects.toThrow(/is not one of audio-emotion/);
  await emotion.dispose();
});
