/** @file `emosllm prompts search`: the way of asking that does best on validation data. Test utterances are never opened. */
import { appendFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { type PromptConfiguration, type SearchExample, searchPrompts } from "@emosllm/prompts";
import { defineCommand } from "citty";
import { stringify } from "yaml";
import { makeFolder } from "../make-folder.ts";
import { openAsker } from "../asking/asker.ts";
import { PART_ARGS, chosenUtterances, outFolder } from "../asking/part.ts";
import { SPACE_ARGS, askedSpace } from "../asking/prompt-set.ts";
import { uaScore } from "../asking/score.ts";
import { statusLine } from "../status-line.ts";
import { readTrainConfig } from "../training/read-config.ts";
import { writeWhole } from "../write-whole.ts";
import { numberArg, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const search = defineCommand({
  meta: {
    name: "search",
    description:
      "Finds the prompt, label words, label order and slots that do best on the validation part, by successive halving: search.jsonl (every evaluation with its interval), search.json, winner.yaml.",
  },
  args: {
    bundle: { type: "string", description: "folder of a trained model" },
    config: { type: "string", description: "a training config instead: its run's best bundle" },
    ...SPACE_ARGS,
    validation: { type: "string", description: "where validation comes from, when not as the run had it" },
    eta: { type: "string", default: "3", description: "a round keeps one in so many" },
    "min-examples": { type: "string", default: "24", description: "utterances of the first round at least" },
    ...PART_ARGS,
  },
  async run({ args }) {
    const bundle = args.bundle ?? (args.config === undefined ? undefined : await bundleOf(args.config));
    if (bundle === undefined) throw new EmosllmError("usage", "give --bundle DIR or --config CONFIG");
    const seed = wholeArg("seed", args.seed, 0);
    const [eta, minExamples] = [numberArg("eta", args.eta, 2), wholeArg("min-examples", args["min-examples"], 1)];
    const asker = await openAsker(bundle, { batchSize: wholeArg("batch-size", args["batch-size"], 1) });
    try {
      const { utterances, about } = await chosenUtterances(bundle, asker, args, "validation");
      const configurations = await askedSpace(args, asker.labels, seed);
      const out = outFolder({ bundle, out: args.out });
      await makeFolder(out);
      const log = join(out, "search.jsonl");
      await rm(log, { force: true });
      const byId = new Map(utterances.map((u) => [u.id, u]));
      const line = statusLine();
      let logged = Promise.resolve();
      const evaluate = async (c: PromptConfiguration, examples: readonly SearchExample[]) => {
        const asked = examples.map(({ id }) => byId.get(id) as (typeof utterances)[number]);
        const questions = asked.map((u) => ({
          sound: asker.sound(u),
          transcript: c.slots.includes("transcript") ? u.text : undefined,
          voice: c.slots.includes("voice") ? asker.sound(u) : undefined,
          prompt: c.prompt,
          labels: c.labels,
        }));
        const answers = await asker.ask(questions, (n) => line.show(`${c.name}: ${n}/${questions.length}`));
        const { ua, low, high, n } = uaScore(
          asked.map((u) => u.label),
          answers,
          asker.labels,
          seed,
        );
        return { score: ua, low, high, n };
      };
      const examples: SearchExample[] = utterances.map(({ id }) => ({ id, split: "validation" }));
      const result = await searchPrompts(configurations, examples, evaluate, {
        seed,
        eta,
        minExamples,
        onEvaluation: (entry) => {
          logged = logged.then(() => appendFile(log, `${JSON.stringify(entry)}\n`));
        },
      });
      await logged;
      line.clear();
      const described = (c: PromptConfiguration) => ({
        name: c.name,
        prompt_sha256: c.promptHash,
        factors: c.factors,
        labels: c.labels.map(({ label, word }) => ({ label, word })),
      });
      const { winner, winnerScore, median, medianScore, margin, rounds } = result;
      const summary = {
        ...about,
        metric: "ua",
        configurations: configurations.length,
        evaluations: result.log.length,
        winner: { ...described(winner), ...winnerScore },
        median: { ...described(median), ...medianScore },
        margin,
        rounds: rounds.map((r) => ({ examples: r.examples, configurations: r.configurations.length })),
      };
      await writeWhole(join(out, "search.json"), `${JSON.stringify(summary, null, 2)}\n`);
      await writeWhole(join(out, "winner.yaml"), stringify(winner.prompt));
      process.stdout.write(args.json ? `${JSON.stringify(summary)}\n` : text(summary));
    } finally {
      await asker.dispose();
    }
  },
});
export default search as AnyCommand;

/** The best bundle of the run that a config describes. */
async function bundleOf(config: string): Promise<string> {
  return join((await readTrainConfig(config, [])).output_dir, "best");
}

const share = (v: number | null): string => (v === null ? "-" : `${(100 * v).toFixed(1)} %`);
interface Found {
  readonly name: string;
  readonly score: number;
  readonly low: number | null;
  readonly high: number | null;
}
const text = (s: {
  configurations: number;
  evaluations: number;
  utterances?: unknown;
  winner: Found;
  median: Found;
  margin: number;
}): string =>
  [
    `${s.configurations} configurations, ${s.evaluations} evaluations on up to ${String(s.utterances)} validation utterances; no test utterance was opened`,
    `winner  UA ${share(s.winner.score)} (${share(s.winner.low)} to ${share(s.winner.high)})  ${s.winner.name}`,
    `median  UA ${share(s.median.score)} (${share(s.median.low)} to ${share(s.median.high)})  ${s.median.name}`,
    `margin  ${(100 * s.margin).toFixed(1)} points; the winner was chosen for its score, so expect a little less on new data`,
    "",
  ].join("\n");
