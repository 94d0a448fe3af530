/** Shared prompts, several answers, long prompts: whatever way the tokens are laid out, the numbers are those of a plain run. */
import { fileURLToPath } from "node:url";
import { type LanguageModel, causalLayout, openLanguageModel } from "@emosllm/backbones";
import { add, gather, input, neg, reshape, softmaxCrossEntropy } from "@emosllm/graph";
import { evaluate, f32, i64 } from "@emosllm/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Engine,
  type Token,
  collectGenerated,
  generate,
  openEngine,
  randomStream,
  tokensOf,
} from "../src/index.ts";

const open = (name: string): Promise<LanguageModel> =>
  openLanguageModel(fileURLToPath(new URL(`../../backbones/test/fixtures/${name}`, import.meta.url)));

/** f32 sums in another order: a few units in the last place of logits of size 1 to 10. */
const DIGITS = 4;
const close = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i], `at ${i}`).toBeCloseTo(b[i] as number, DIGITS);
};

const random = randomStream(21, 0);
const ids = (n: number): number[] => Array.from({ length: n }, () => 4 + Math.floor(random() * 40));

describe.each(["llama", "gemma2", "gemma3", "smollm3", "qwen2", "phi3-longrope-long"])("%s", (name) => {
  let model: LanguageModel;
  let engine: Engine;
  beforeAll(async () => {
    model = await open(name);
    engine = await openEngine(model, { threads: 1 });
  });
  afterAll(() => engine.dispose());

  /** Log-likelihoods of the last `count` tokens, by the layout that training uses. */
  async function plainly(tokens: readonly number[], count: number): Promise<Float32Array> {
    const n = tokens.length;
    const all = input("ids", [1, n], "i64");
    const hidden = model.layers(model.embed(reshape(all, [n])), causalLayout({ rows: 1, suffix: n }));
    const places = i64(Array.from({ length: count }, (_, i) => n - count - 1 + i));
    const losses = softmaxCrossEntropy(
      model.head(gather(hidden, input("places", [count], "i64"))),
      input("labels", [count], "i64"),
    );
    const { out } = await evaluate(
      { out: neg(losses) },
      { ids: i64(tokens, [1, n]), places, labels: i64(tokens.slice(n - count)) },
      { weights: model.checkpoint.tensors, threads: 1 },
    );
    return out.data as Float32Array;
  }

  const begin = ids(7);
  const rows = [
    { prompt: [...begin, ...ids(3)], answers: [ids(1), ids(3), ids(2)] },
    { prompt: [...begin, ...ids(1)], answers: [ids(2)] },
    { prompt: [...begin, ...ids(6)], answers: [ids(4), ids(1)] },
  ];

  test("answers after one prompt, the beginning run once or not, equal separate runs", async () => {
    const { cache } = await engine.prefill([begin]);
    const together = await engine.score(rows, { shared: { cache, length: begin.length } });
    const without = await engine.score(rows);
    const part = await engine.score(rows, { shared: { cache, length: 4 } });
    for (const [r, { prompt, answers }] of rows.entries())
      for (const [a, answer] of answers.entries()) {
        const alone = await plainly([...prompt, ...answer], answer.length);
        for (const scores of [together, without, part]) close(scores[r]?.[a] ?? [], alone);
      }
  });

  test("generation after a beginning that was run before is generation after the whole prompt", async () => {
    const { cache } = await engine.prefill([begin]);
    const run = async (shared: boolean): Promise<unknown> =>
      collectGenerated(
        generate(
          {
            engine,
            decode: (list) => list.join(" "),
            eos: [],
            ...(shared ? { shared: { cache, length: begin.length } } : {}),
          },
          rows.map((r) => r.prompt),
          { max_new_tokens: 12, do_sample: true, seed: 4, top_k: 10, repetition_penalty: 1.2 },
        ),
      );
    const texts = (x: unknown): string[] => (x as { text: string }[]).map((g) => g.text);
    expect(texts(await run(true))).toEqual(texts(await run(false)));
  });

  test("a token at a time, from an empty beginning, gives the logits of the prompt at once", async () => {
    const prompt = rows[0]?.prompt as number[];
    const whole = await engine.prefill([prompt]);
    const step = await engine.prefill([prompt.slice(0, 1)]);
    let logits = step.logits;
    for (const id of prompt.slice(1)) logits = await engine.decode(step.cache, [id]);
    // Longrope turns old keys otherwise once a text is long; `generate` runs the prompt anew there.
    if (engine.switchesAt === undefined || prompt.length < engine.switchesAt)
      close(logits[0] as Float32Array, whole.logits[0] as Float32Array);
  });
});

describe("llama", () => {
  let model: LanguageModel;
  let engine: Engine;
  beforeAll(async () => {
    model = await open("llama");
    engine = await openEngine(model, { threads: 1 });
  });
  afterAll(() => engine.dispose());

  test("a prompt longer than what is run at once, and rows that leave the batch", async () => {
    const long = ids(700);
    const [all] = (await engine.prefill([long])).logits;
    const { cache } = await engine.prefill([long.slice(0, 300)]);
    close(
      (await engine.prefill([long], { shared: { cache, length: 300 } })).logits[0] as Float32Array,
      all as Float32Array,
    );
    const some = [ids(5), ids(90), ids(2)];
    const next = (await engine.prefill([...some, long])).logits;
    for (const [i, prompt] of [...some, long].entries())
      close(next[i] as Float32Array, (await engine.prefill([prompt])).logits[0] as Float32Array);
  });

  test("vectors stand where tokens would: a token's own embedding changes nothing", async () => {
    const prompt = ids(6);
    const { out } = await evaluate(
      { out: model.embed(input("ids", [6], "i64")) },
      { ids: i64(prompt) },
      { weights: model.checkpoint.tensors },
    );
    const width = model.config.hiddenSize;
    const vectors = (out.data as Float32Array).slice(2 * width, 5 * width);
    const mixed = tokensOf([{ ids: prompt.slice(0, 2) }, { vectors }, { ids: prompt.slice(5) }], width);
    const [a] = (await engine.prefill([mixed])).logits;
    const [b] = (await engine.prefill([prompt])).logits;
    expect([...(a as Float32Array)]).toEqual([...(b as Float32Array)]);
    expect(() => tokensOf([{ vectors: new Float32Array(3) }], width)).toThrow(/part 0 of a prompt has 3 numbers/);
  });

  test("a model with another input in its linear layers is fed it at each run", async () => {
    const bias = input("shift", [1]);
    const shifted = await openEngine(model, {
      threads: 1,
      linear: () => (paths, x) =>
        model.linear(paths, x).map((y, i) => (paths[i]?.endsWith("0.mlp.up_proj") ? add(y, bias) : y)),
    });
    const run = async (value: number): Promise<number[]> => [
      ...((await shifted.prefill([[5, 6]], { parameters: { shift: f32([value]) } })).logits[0] as Float32Array),
    ];
    const [plain] = (await engine.prefill([[5, 6]])).logits;
    close(await run(0), plain as Float32Array);
    expect(await run(1)).not.toEqual(await run(0));
    await shifted.dispose();
  });

  test("logprobs are of the model's own distribution; a signal ends between two tokens", async () => {
    const setting = { engine, decode: (list: readonly number[]) => `${list.join(" ")} `, eos: [] };
    const [row] = await collectGenerated(
      generate(setting, [ids(4)], { max_new_tokens: 5, do_sample: true, temperature: 3, seed: 9, top_logprobs: 4 }),
    );
    expect(row?.logprobs).toHaveLength(5);
    for (const { logprob, top } of row?.logprobs ?? []) {
      expect(top).toHaveLength(4);
      expect(logprob).toBeLessThanOrEqual(top[0]?.logprob as number);
      expect(top.map((t) => t.logprob)).toEqual(top.map((t) => t.logprob).toSorted((a, b) => b - a));
    }
    const controller = new AbortController();
    let seen = 0;
    const stopped = async (): Promise<void> => {
      for await (const _ of generate(setting, [ids(3)], { max_new_tokens: 30, signal: controller.signal }))
        if (++seen === 3) controller.abort();
    };
    await expect(stopped()).rejects.toThrow(/abort/i);
    expect(seen).toBe(3);
  });

  test("stop strings and end tokens: what is said, and why it ended", async () => {
    const setting = { engine, decode: (list: readonly number[]) => list.map((id) => `(${id})`).join(""), eos: [] };
    const prompt: readonly Token[] = ids(5);
    const [free] = await collectGenerated(generate(setting, [prompt], { max_new_tokens: 8 }));
    const stop = `(${free?.ids[3]})`;
    const [cut] = await collectGenerated(generate(setting, [prompt], { max_new_tokens: 8, stop_strings: stop }));
    expect(cut).toMatchObject({ finish_reason: "stop", stop_string: stop });
    expect(free?.text.startsWith(cut?.text as string)).toBe(true);
    expect(cut?.text).not.toContain(stop);
    const [ended] = await collectGenerated(
      generate({ ...setting, eos: [free?.ids[3] as number] }, [prompt], { max_new_tokens: 8 }),
    );
    expect(ended?.finish_reason).toBe("stop");
    expect(ended?.text).toBe(cut?.text);
    expect(free?.finish_reason).toBe("length");
  });

  test("what cannot be run is refused with the row and what is wrong", async () => {
    await expect(engine.prefill([])).rejects.toThrow(/no prompts/);
    await expect(engine.prefill([[5], []])).rejects.toThrow(/prompt 1 has 0 tokens; at least one/);
    await expect(engine.prefill([[5, new Float32Array(3)]])).rejects.toThrow(
      /prompt 0 has a vector of 3 numbers; the model's width is 32/,
    );
    await expect(engine.score([{ prompt: [5], answers: [[]] }])).rejects.toThrow(/row 0 has no answer to score/);
    await expect(engine.prefill([[5, 4000]])).rejects.toThrow(/not in the model's vocabulary/);
  });
});
