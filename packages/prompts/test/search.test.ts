import { describe, expect, expectTypeOf, test } from "vitest";
import {
  labelLexicon,
  promptConfigurations,
  promptLibrary,
  randomOf,
  searchPrompts,
  type SearchExample,
  type SearchLogEntry,
} from "../src/index.ts";

interface Row extends SearchExample {
  readonly difficulty: number;
}
const rows = (n: number): Row[] =>
  Array.from({ length: n }, (_, i) => ({ id: `u${i}`, split: "validation", difficulty: randomOf("difficulty", i)() }));
const configurations = (n: number) =>
  Array.from({ length: n }, (_, i) => ({ name: `c${i}`, skill: 0.3 + (0.6 * i) / n }));
/** A configuration answers what is not too hard for it: its accuracy is its skill, with less noise on more rows. */
const evaluate =
  (calls: string[] = []) =>
  async ({ name, skill }: { name: string; skill: number }, examples: readonly Row[]) => {
    calls.push(`${name} ${examples.length}`);
    return { score: examples.filter((row) => row.difficulty < skill).length / examples.length, n: examples.length };
  };

describe("successive halving", () => {
  test("finds the best configuration with a fraction of the evaluations", async () => {
    const calls: string[] = [];
    const result = await searchPrompts(configurations(27), rows(243), evaluate(calls), { seed: 1 });
    expect(result.winner.name).toBe("c26");
    expect(result.rounds.map((r) => [r.examples, r.configurations.length])).toEqual([
      [27, 27],
      [81, 9],
      [243, 3],
    ]);
    const cost = calls.reduce((total, call) => total + Number(call.split(" ")[1]), 0);
    expect(cost).toBeLessThanOrEqual(4 * 27 * 27 + 243);
    expect(result.log).toHaveLength(calls.length);
  });

  test("the winner is the best of its last round, on the examples all of them saw", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const result = await searchPrompts(configurations(10), rows(60), evaluate(), { seed, eta: 2, minExamples: 5 });
      const last = result.log.filter((entry) => entry.kind === "round" && entry.examples === 60);
      expect(result.winnerScore.score).toBe(Math.max(...last.map((entry) => entry.score)));
      expect(result.medianScore.examples).toBe(60);
      expect(result.margin).toBe(result.winnerScore.score - result.medianScore.score);
      for (const { low, high, score } of result.log) {
        expect(low).toBeLessThanOrEqual(score);
        expect(high).toBeGreaterThanOrEqual(score);
      }
    }
  });

  test("the median is the middle of the first round, measured on all examples", async () => {
    const { log, median, rounds } = await searchPrompts(configurations(9), rows(90), evaluate(), { seed: 5 });
    const first = log.filter((entry) => entry.round === 0).sort((a, b) => b.score - a.score);
    const middle = first[4]?.score;
    expect(first.find((entry) => entry.configuration === median.name)?.score).toBe(middle);
    expect(log.at(-1)).toMatchObject({
      kind: "comparison",
      configuration: median.name,
      examples: 90,
      round: rounds.length,
    });
  });

  test("the same seed gives the same search; another seed other examples", async () => {
    const seen = async (seed: number): Promise<string> => {
      const ids: string[] = [];
      await searchPrompts(
        configurations(9),
        rows(90),
        async (c, examples) => {
          ids.push(`${c.name}:${examples.map((row) => row.id).join()}`);
          return { score: c.skill, n: examples.length };
        },
        { seed },
      );
      return ids.join("\n");
    };
    expect(await seen(1)).toBe(await seen(1));
    expect(await seen(1)).not.toBe(await seen(2));
  });

  test("rounds are nested: what a round adds, the earlier ones had not seen, and no row is lost", async () => {
    const bySize = new Map<number, string[]>();
    await searchPrompts(
      configurations(9),
      rows(90),
      async (_, examples) => {
        bySize.set(
          examples.length,
          examples.map((row) => row.id),
        );
        return { score: 0, n: 1 };
      },
      {},
    );
    const sizes = [...bySize.keys()].sort((a, b) => a - b);
    expect(sizes.at(-1)).toBe(90);
    expect(new Set(bySize.get(90)).size).toBe(90);
    for (const size of sizes) expect(bySize.get(90)?.slice(0, size)).toEqual(bySize.get(size));
  });

  test("an interrupted search goes on where it was", async () => {
    const known: SearchLogEntry[] = [];
    const stop = new AbortController();
    const options = {
      seed: 3,
      onEvaluation: (entry: SearchLogEntry) => void (known.push(entry), known.length === 12 && stop.abort()),
    };
    await expect(
      searchPrompts(configurations(27), rows(243), evaluate(), { ...options, signal: stop.signal }),
    ).rejects.toThrow(/abort/i);
    const calls: string[] = [];
    const resumed = await searchPrompts(configurations(27), rows(243), evaluate(calls), { seed: 3, known });
    const whole = await searchPrompts(configurations(27), rows(243), evaluate(), { seed: 3 });
    expect(resumed).toEqual(whole);
    expect(calls).toHaveLength(whole.log.length - 12);
  });

  test("test data are refused, by type and at run time", async () => {
    expectTypeOf<{ id: string; split: "test" }>().not.toExtend<SearchExample>();
    expectTypeOf<{ id: string; split: "validation" }>().toExtend<SearchExample>();
    let called = 0;
    const spy = async () => ({ score: ++called, n: 1 });
    for (const split of ["test", "Test", "train", undefined]) {
      const leak = [...rows(5), { id: "leak", split, difficulty: 0 }] as unknown as Row[];
      await expect(searchPrompts(configurations(3), leak, spy)).rejects.toThrow(
        /example 'leak' is of split .*validation data only/,
      );
    }
    expect(called).toBe(0);
  });

  test("nothing to search, repeats, and answers that are no score are refused", async () => {
    const c = configurations(2);
    await expect(searchPrompts([], rows(2), evaluate())).rejects.toThrow("no configuration");
    await expect(searchPrompts(c, [], evaluate())).rejects.toThrow("no validation example");
    await expect(searchPrompts([...c, ...c], rows(2), evaluate())).rejects.toThrow("configuration 'c0' is there twice");
    await expect(searchPrompts(c, [...rows(2), ...rows(1)], evaluate())).rejects.toThrow("example 'u0' is there twice");
    await expect(searchPrompts(c, rows(2), evaluate(), { eta: 1 })).rejects.toThrow("eta is 1");
    await expect(searchPrompts(c, rows(2), async () => ({ score: Number.NaN, n: 2 }))).rejects.toThrow(
      /gave score NaN over 2 rows/,
    );
    await expect(searchPrompts(c, rows(2), async () => Promise.reject(new Error("no memory")))).rejects.toThrow(
      /configuration 'c\d': no memory/,
    );
  });

  test("one configuration wins against itself", async () => {
    const result = await searchPrompts(configurations(1), rows(4), evaluate());
    expect(result).toMatchObject({ winner: { name: "c0" }, margin: 0, rounds: [{ examples: 4 }] });
  });
});

test("a space of configurations: every combination that asks something of its own", async () => {
  const [prompts, lexicon] = [await promptLibrary({ task: "emotion", language: "en" }), await labelLexicon()];
  const labels = ["angry", "happy", "sad", "neutral"];
  const space = promptConfigurations({ prompts, labels, lexicon, orders: 3, slots: [[], ["transcript"]] });
  expect(space).toHaveLength(prompts.length * 2 * 3 * 2);
  expect(new Set(space.map((c) => c.name)).size).toBe(space.length);
  expect(space[0]?.labels.map((l) => l.label)).toEqual(labels);
  expect(space[0]?.factors).toEqual({
    prompt: space[0]?.prompt.name,
    words: "adjective",
    order: labels.join(" "),
    slots: "none",
  });
  const chinese = await promptLibrary({ task: "emotion", language: "zh" });
  // One form in Chinese: adjective and noun would ask the same.
  expect(promptConfigurations({ prompts: chinese, labels, lexicon, orders: 1 })).toHaveLength(chinese.length);
});
