/**
 * @file `npm run -s oracle -- generation DIR`: greedy generation of every model folder in DIR, against DIR/generation.json of
 * `tools/oracle/generation.py`, alone and with several prompts at once. A difference where transformers itself was within `TIE` of a tie is none.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openLanguageModel } from "@emosllm/backbones";
import { type GenerationOptions, collectGenerated, generate, openEngine } from "@emosllm/generation";

interface Run {
  readonly prompt: readonly number[];
  readonly options: GenerationOptions;
  readonly ids: readonly number[];
  readonly margin: number;
}

/** In units of the largest logit: f32 sums in another order differ by up to 2e-5 of it. */
const TIE = 4e-5;

/** One line a model: runs, and how many were equal. */
export async function* checkGeneration(folders: readonly string[]): AsyncGenerator<{
  readonly model: string;
  readonly runs: number;
  readonly equal: number;
  readonly ties: number;
  readonly ok: boolean;
}> {
  for (const folder of folders) {
    const all = JSON.parse(await readFile(join(folder, "generation.json"), "utf8")) as Record<string, Run[]>;
    for (const [model, runs] of Object.entries(all)) {
      const engine = await openEngine(await openLanguageModel(join(folder, model)));
      const go = async (prompts: readonly (readonly number[])[], options: GenerationOptions) =>
        (await collectGenerated(generate({ engine, decode: () => "", eos: [] }, prompts, options))).map((g) =>
          g.ids.join(),
        );
      const alone = await Promise.all(runs.map(async (run) => (await go([run.prompt], run.options))[0]));
      const plain = runs.filter((r) => Object.keys(r.options).length === 1);
      const together = await go(
        plain.map((r) => r.prompt),
        (plain[0] as Run).options,
      );
      const same = [
        ...runs.map((run, i) => ({ run, equal: alone[i] === run.ids.join() })),
        ...plain.map((run, i) => ({ run, equal: together[i] === run.ids.join() })),
      ];
      const ties = same.filter(({ run, equal }) => !equal && run.margin < TIE).length;
      const equal = same.filter((s) => s.equal).length;
      yield { model, runs: same.length, equal, ties, ok: equal + ties === same.length };
      await engine.dispose();
    }
  }
}
