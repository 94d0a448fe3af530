import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type LanguageModel, openLanguageModel } from "@emosllm/backbones";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Engine, type GenerationOptions, collectGenerated, generate, openEngine } from "../src/index.ts";

interface Run {
  readonly prompt: readonly number[];
  readonly options: GenerationOptions;
  readonly ids: readonly number[];
  readonly margin: number;
}

const fixtures = JSON.parse(await readFile(new URL("fixtures/generation.json", import.meta.url), "utf8")) as Record<
  string,
  Run[]
>;
const decode = (ids: readonly number[]): string => ids.map((id) => `<${id}>`).join("");

describe.each(Object.keys(fixtures))("%s", (name) => {
  let model: LanguageModel;
  let engine: Engine;
  const runs = fixtures[name] as Run[];
  const plain = runs.filter((r) => Object.keys(r.options).length === 1);
  beforeAll(async () => {
    model = await openLanguageModel(fileURLToPath(new URL(`../../backbones/test/fixtures/${name}`, import.meta.url)));
    engine = await openEngine(model, { threads: 1 });
  });
  afterAll(() => engine.dispose());
  const all = async (
    prompts: readonly (readonly number[])[],
    options: GenerationOptions,
  ): Promise<(readonly number[])[]> =>
    (await collectGenerated(generate({ engine, decode, eos: [] }, prompts, options))).map((g) => g.ids);

  test("greedy ids equal transformers', alone and among others", async () => {
    for (const run of runs) expect((await all([run.prompt], run.options))[0]).toEqual(run.ids);
    expect(
      await all(
        plain.map((r) => r.prompt),
        { max_new_tokens: 40 },
      ),
    ).toEqual(plain.map((r) => r.ids));
  });
});
