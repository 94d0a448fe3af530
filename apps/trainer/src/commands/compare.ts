/** @file `emosllm compare RUN_A RUN_B`: whether one of two systems is better on the same utterances. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { summarizePredictions } from "@emosllm/report";
import { defineCommand } from "citty";
import { comparisonLines } from "../evaluation/summary-text.ts";
import { wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const compare = defineCommand({
  meta: {
    name: "compare",
    description:
      "Paired tests of two runs, or two prediction files, on the utterances that both answer: differences with bootstrap intervals, permutation tests (Holm-corrected), McNemar; speakers are drawn and swapped whole where ten or more are known.",
  },
  args: {
    a: { type: "positional", required: true, description: "RUN_A: a run's folder or its predictions.jsonl" },
    b: { type: "positional", required: true, description: "RUN_B" },
    cluster: {
      type: "string",
      description: "key whose rows belong together; none for single rows (default: speaker when ten or more are known)",
    },
    rounds: { type: "string", default: "1000", description: "bootstrap rounds" },
    permutations: { type: "string", default: "10000", description: "random swaps of the permutation tests" },
    seed: { type: "string", default: "0", description: "seed of the resampling" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const [a, b] = [await predictionsOf(args.a), await predictionsOf(args.b)];
    const { comparison, intervals } = await summarizePredictions(a, {
      compare: b,
      cluster: args.cluster,
      rounds: wholeArg("rounds", args.rounds, 1),
      permutations: wholeArg("permutations", args.permutations, 1),
      seed: wholeArg("seed", args.seed, 0),
      slices: [],
      hardest: 0,
    });
    if (!comparison) throw new EmosllmError("corpus_invalid", `${a} has no class answers to compare`);
    process.stdout.write(
      args.json
        ? `${JSON.stringify({ first: a, second: b, intervals, ...comparison })}\n`
        : `${a}\n${comparisonLines(comparison).join("\n")}\n  drawn by ${intervals.unit} (${intervals.units})\n`,
    );
  },
});
export default compare as AnyCommand;

/** A run's predictions; its folds' together where it is a cross-validation. */
async function predictionsOf(run: string): Promise<string> {
  const found = await stat(run).catch(() => undefined);
  if (!found) throw new EmosllmError("corpus_not_found", `${run}: no such file or folder`);
  return found.isDirectory() ? join(run, "predictions.jsonl") : run;
}
