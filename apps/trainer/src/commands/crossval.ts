/** @file `emosllm crossval CONFIG`: every fold of a protocol, and the table that a paper needs. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  accuracy,
  aggregateFolds,
  confusionMatrix,
  macroF1,
  unweightedAverageRecall,
  weightedF1,
} from "@emosllm/eval-metrics";
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { type MetricsSummary, type Score, summarizePredictions } from "@emosllm/report";
import { defineCommand } from "citty";
import { writeReportPage } from "../report-page.ts";
import { runsWriter } from "../series/draw.ts";
import { executeRuns } from "../series/execute.ts";
import { type Folds, majorityLabel, readFolds } from "../series/folds.ts";
import { predictionsFile, type RunPlan } from "../series/plan.ts";
import { inPercent, latexTable, markdownTable, meanAndDeviation, type Table, withInterval } from "../series/tables.ts";
import { readTrainConfig } from "../training/read-config.ts";
import { writeWhole } from "../write-whole.ts";
import { listArg, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

/** Columns: heading, name in a summary, and how it is counted. */
const SCORES = [
  ["UA", "uar", unweightedAverageRecall],
  ["WA", "accuracy", accuracy],
  ["macro F1", "macro_f1", macroF1],
  ["weighted F1", "weighted_f1", weightedF1],
] as const;

const crossval = defineCommand({
  meta: {
    name: "crossval",
    description:
      "Trains and tests every fold of the config's protocol, goes on where it was stopped, and prints the table of a paper: folds, mean ± standard deviation, pooled scores with intervals, majority baseline, hashes of split and prompt.",
  },
  args: {
    config: { type: "positional", required: true, description: "YAML file, then key=value overrides" },
    folds: { type: "string", description: "only these, with commas, from 1 (default: all)" },
    jobs: { type: "string", default: "1", description: "folds trained at once, each in a process of its own" },
    restart: { type: "boolean", default: false, description: "forget folds that are finished already" },
    latex: { type: "boolean", default: false, description: "print the LaTeX table instead of the Markdown one" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const overrides = args._.slice(1).map(String);
    const jobs = wholeArg("jobs", args.jobs, 1);
    const folds = await readFolds(args.config, overrides);
    const chosen = listArg(args.folds)?.map((f) => wholeArg("folds", f, 1)) ?? folds.splits.map((_, i) => i + 1);
    const wrong = chosen.filter((fold) => fold > folds.splits.length);
    if (wrong.length > 0)
      throw new EmosllmError(
        "usage",
        `--folds ${wrong.join(",")}: ${folds.config.protocol} has folds 1 to ${folds.splits.length} here`,
      );
    const out = folds.config.output_dir;
    const plans = await Promise.all(
      chosen.map(async (fold): Promise<RunPlan> => {
        const own = [...overrides, `fold=${fold}`, `output_dir=${join(out, `fold-${fold}`)}`];
        return { name: `fold ${fold}`, argv: [args.config, ...own], config: await readTrainConfig(args.config, own) };
      }),
    );
    const onEvent = runsWriter(plans.length, folds.config.logging_steps);
    const failed = await executeRuns(plans, { jobs, restart: args.restart, onEvent });
    if (failed.length > 0)
      throw new EmosllmError(
        "runtime_failed",
        `${failed.join(", ")} failed; the same command goes on with what is missing`,
      );

    const file = join(out, "predictions.jsonl");
    await writeWhole(file, (await Promise.all(plans.map((p, i) => foldLines(p, chosen[i] as number)))).join(""));
    const summary = await summarizePredictions(file, { labels: folds.labels });
    const result = resultOf(folds, chosen, summary, await promptHashes(plans));
    const table = tableOf(folds, chosen, summary, result);
    const texts = { "table.md": markdownTable(table), "table.tex": latexTable(table, "tab:crossval") };
    for (const [name, text] of Object.entries(texts)) await writeWhole(join(out, name), text);
    await writeWhole(join(out, "summary.json"), `${JSON.stringify({ ...result, metrics: summary }, null, 2)}\n`);
    await writeReportPage(join(out, "report.html"), summary, { title: table.caption, sound: true, folder: out });
    process.stdout.write(args.json ? `${JSON.stringify(result)}\n` : texts[args.latex ? "table.tex" : "table.md"]);
    process.stderr.write(
      `report: ${join(out, "report.html")}; tables: ${join(out, "table.md")}, ${join(out, "table.tex")}\n`,
    );
  },
});
export default crossval as AnyCommand;

/** A fold's predictions with its number. */
async function foldLines(plan: RunPlan, fold: number): Promise<string> {
  const text = await readFile(predictionsFile(plan), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => `${JSON.stringify({ ...(JSON.parse(line) as object), fold })}\n`)
    .join("");
}

/** The prompts that the folds' bundles name; one, unless somebody changed the library on the way. */
async function promptHashes(plans: readonly RunPlan[]): Promise<string[]> {
  const hashes = await Promise.all(
    plans.map(async ({ config }) => {
      const text = await readFile(join(config.output_dir, "best", "emosllm.json"), "utf8");
      return (JSON.parse(text) as { prompt_sha256: string }).prompt_sha256;
    }),
  );
  return [...new Set(hashes)];
}

type Result = ReturnType<typeof resultOf>;

/** The numbers as one object. */
function resultOf(folds: Folds, chosen: readonly number[], summary: MetricsSummary, prompts: readonly string[]) {
  const baseline = chosen.map((fold) => {
    const split = folds.splits[fold - 1]!;
    const answer = majorityLabel(split, folds.labels);
    const truth = split.test.map((id) => (folds.utterances.get(id) as Utterance).label as string);
    return confusionMatrix(
      truth,
      truth.map(() => answer),
      { labels: folds.labels },
    );
  });
  const majority = aggregateFolds(baseline, Object.fromEntries(SCORES.map(([, name, of]) => [name, of])));
  const { corpus, scheme, protocol, seed } = folds.config;
  return {
    corpus,
    scheme,
    protocol,
    seed,
    folds: chosen.map((fold, i) => ({
      fold,
      test_utterances: folds.splits[fold - 1]!.test.length,
      split_sha256: folds.splits[fold - 1]!.sha256,
      ...Object.fromEntries(SCORES.map(([, name]) => [name, valueOf(summary, name, fold, chosen.length)])),
      majority_accuracy: majority["accuracy"]!.values[i],
    })),
    mean: Object.fromEntries(
      SCORES.map(([, name]) => [name, summary.folds?.[name]?.mean ?? pooled(summary, name).estimate]),
    ),
    standard_deviation: Object.fromEntries(
      SCORES.map(([, name]) => [name, summary.folds?.[name]?.standard_deviation ?? 0]),
    ),
    pooled: Object.fromEntries(SCORES.map(([, name]) => [name, pooled(summary, name)])),
    majority: Object.fromEntries(
      SCORES.map(([, name]) => [
        name,
        {
          mean: majority[name]!.mean,
          standard_deviation: majority[name]!.standardDeviation,
          pooled: majority[name]!.pooled,
        },
      ]),
    ),
    intervals: summary.intervals,
    split_sha256: folds.sha256,
    prompt_sha256: prompts,
  };
}

const pooled = (summary: MetricsSummary, name: string): Score => summary.classification!.scores[name]!;
const valueOf = (summary: MetricsSummary, name: string, fold: number, folds: number): number | null =>
  folds === 1 ? pooled(summary, name).estimate : (summary.folds?.[name]?.values[String(fold)] ?? null);

function tableOf(folds: Folds, chosen: readonly number[], summary: MetricsSummary, result: Result): Table {
  const { intervals } = summary;
  const { corpus, scheme, protocol, seed } = folds.config;
  const each = (cell: (name: string) => string): string[] => SCORES.map(([, name]) => cell(name));
  const total = summary.classification!.rows;
  const speakers = new Set([...folds.utterances.values()].map((u) => u.speaker).filter(Boolean)).size;
  return {
    caption: `${corpus.split(":")[0]}, ${scheme}, ${protocol}: test scores in percent`,
    head: ["fold", "utterances", ...SCORES.map(([head]) => head)],
    rows: [
      ...chosen.map((fold, i) => ({
        cells: [
          String(fold),
          String(folds.splits[fold - 1]!.test.length),
          ...each((name) => inPercent(valueOf(summary, name, fold, chosen.length))),
        ],
        rule: i === chosen.length - 1,
      })),
      {
        cells: [
          "mean ± s.d.",
          "",
          ...each((n) => meanAndDeviation(result.mean[n] ?? Number.NaN, result.standard_deviation[n] ?? 0)),
        ],
      },
      { cells: ["pooled", String(total), ...each((n) => withInterval(pooled(summary, n)))], rule: true },
      {
        cells: [
          "majority",
          String(total),
          ...each((n) => meanAndDeviation(result.majority[n]!.mean, result.majority[n]!.standard_deviation)),
        ],
      },
    ],
    notes: [
      `UA: mean recall of the classes; WA: accuracy. s.d. between folds, with n - 1.`,
      `Brackets: ${(100 * intervals.level).toFixed(0)} % bootstrap intervals, ${intervals.rounds} rounds by ${intervals.unit} (${intervals.units}).`,
      `Majority: always the label most frequent in training.`,
      `${folds.utterances.size} utterances, ${speakers} speakers, seed ${seed}; split sha256 ${folds.sha256.slice(0, 16)}, prompt ${result.prompt_sha256.map((h) => h.replace(/^sha256:/, "").slice(0, 16)).join(", ")}.`,
    ],
  };
}
