/** @file `emosllm ablate CONFIG`: what each part of the system is worth on a corpus, as the paper's table is built. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { emotionScheme } from "@emosllm/datasets";
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { loadEmoSllm } from "@emosllm/model";
import { type MetricsSummary, summarizePredictions } from "@emosllm/report";
import { defineCommand } from "citty";
import { makeFolder } from "../make-folder.ts";
import { ABLATIONS, type Variant, variantsOf } from "../ablation/variants.ts";
import { judgePart } from "../evaluation/judge-part.ts";
import { runsWriter } from "../series/draw.ts";
import { executeRuns } from "../series/execute.ts";
import { type Folds, readFolds } from "../series/folds.ts";
import { predictionsFile, type RunPlan } from "../series/plan.ts";
import { inPercent, latexTable, markdownTable, type Table, withInterval } from "../series/tables.ts";
import { readTrainConfig } from "../training/read-config.ts";
import { writeWhole } from "../write-whole.ts";
import { listArg, oneOf, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const SCORES = [
  ["UA", "uar"],
  ["WA", "accuracy"],
  ["macro F1", "macro_f1"],
  ["weighted F1", "weighted_f1"],
] as const;

const ablate = defineCommand({
  meta: {
    name: "ablate",
    description:
      "Trains the config and its variants, one thing changed at a time (LoRA, projector, transcript, voice description, prompts, encoder), and prints one table with paired tests against the full system. Goes on where it was stopped.",
  },
  args: {
    config: { type: "positional", required: true, description: "YAML file, then key=value overrides" },
    only: { type: "string", description: `which, with commas: ${ABLATIONS.join(", ")} (default: all)` },
    encoders: { type: "string", description: "more speech encoders to try, with commas: hub ids or folders" },
    folds: { type: "string", description: "folds, with commas, or all (default: the config's fold)" },
    jobs: { type: "string", default: "1", description: "runs at once, each in a process of its own" },
    restart: { type: "boolean", default: false, description: "forget runs that are finished already" },
    latex: { type: "boolean", default: false, description: "print the LaTeX table instead of the Markdown one" },
    json: { type: "boolean", default: false, description: "print one JSON object per variant" },
  },
  async run({ args }) {
    const overrides = args._.slice(1).map(String);
    const jobs = wholeArg("jobs", args.jobs, 1);
    const groups = listArg(args.only)?.map((g) => oneOf("only", g, ABLATIONS)) ?? ABLATIONS;
    const all = await readFolds(args.config, overrides);
    const { config } = all;
    const chosen =
      args.folds === "all"
        ? all.splits.map((_, i) => i + 1)
        : (listArg(args.folds)?.map((f) => wholeArg("folds", f, 1)) ?? [config.fold]);
    const wrong = chosen.filter((fold) => fold > all.splits.length);
    if (wrong.length > 0)
      throw new EmosllmError(
        "usage",
        `--folds ${wrong.join(",")}: ${config.protocol} has folds 1 to ${all.splits.length} here`,
      );
    const variants = variantsOf(config, groups, listArg(args.encoders) ?? []);
    const systems = await Promise.all(
      variants.map(async (variant) => ({
        variant,
        folder: join(config.output_dir, slug(variant.name)),
        plans: await Promise.all(
          chosen.map((fold) => planOf(args.config, overrides, variant, fold, config.output_dir)),
        ),
      })),
    );
    const plans = systems.flatMap((s) => s.plans);
    const failed = await executeRuns(plans, {
      jobs,
      restart: args.restart,
      onEvent: runsWriter(plans.length, config.logging_steps),
    });
    if (failed.length > 0)
      throw new EmosllmError(
        "runtime_failed",
        `${failed.join(", ")} failed; the same command goes on with what is missing`,
      );

    const results: Result[] = [];
    for (const { variant, folder, plans: own } of systems) {
      const file = join(folder, "predictions.jsonl");
      await writeWhole(file, await pooledLines(variant, own, chosen, all));
      const full = results[0]?.file;
      const summary = await summarizePredictions(file, { labels: all.labels, compare: full, slices: [], hardest: 0 });
      results.push({ variant, file, summary });
    }
    const table = tableOf(all, chosen, results);
    const texts = { "table.md": markdownTable(table), "table.tex": latexTable(table, "tab:ablation") };
    for (const [name, text] of Object.entries(texts)) await writeWhole(join(config.output_dir, name), text);
    if (!args.json) process.stdout.write(texts[args.latex ? "table.tex" : "table.md"]);
    else for (const result of results) process.stdout.write(`${JSON.stringify(asJson(result))}\n`);
    process.stderr.write(`tables: ${join(config.output_dir, "table.md")}, ${join(config.output_dir, "table.tex")}\n`);
  },
});
export default ablate as AnyCommand;

interface Result {
  readonly variant: Variant;
  readonly file: string;
  readonly summary: MetricsSummary;
}

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/-$/, "");

async function planOf(
  file: string,
  overrides: readonly string[],
  variant: Variant,
  fold: number,
  out: string,
): Promise<RunPlan> {
  const folder = join(out, slug(variant.name), `fold-${fold}`);
  const own = [...overrides, ...variant.overrides, `fold=${fold}`, `output_dir=${folder}`];
  return { name: `${variant.name}, fold ${fold}`, argv: [file, ...own], config: await readTrainConfig(file, own) };
}

/** Predictions of all folds. A variant that must not see the words is asked again without them. */
async function pooledLines(
  { transcripts }: Variant,
  plans: readonly RunPlan[],
  chosen: readonly number[],
  folds: Folds,
): Promise<string> {
  const parts: string[] = [];
  for (const [i, plan] of plans.entries()) {
    const fold = chosen[i] as number;
    const lines = transcripts
      ? (await readFile(predictionsFile(plan), "utf8")).trim().split("\n")
      : await withoutTranscripts(plan, fold, folds);
    parts.push(...lines.map((line) => `${JSON.stringify({ ...(JSON.parse(line) as object), fold })}\n`));
  }
  return parts.join("");
}

async function withoutTranscripts(plan: RunPlan, fold: number, folds: Folds): Promise<string[]> {
  const file = join(plan.config.output_dir, "without-transcripts.jsonl");
  const known = await readFile(file, "utf8").catch(() => undefined);
  if (known !== undefined) return known.trim().split("\n");
  const utterances = folds.splits[fold - 1]!.test.map((id) => folds.utterances.get(id) as Utterance);
  const model = await loadEmoSllm(join(plan.config.output_dir, "best"));
  try {
    const lines = await judgePart(model, utterances, {
      transcripts: false,
      batchSize: plan.config.per_device_eval_batch_size,
      onBad: (message) => void process.stderr.write(`left out: ${message}\n`),
    });
    await makeFolder(plan.config.output_dir);
    await writeWhole(file, `${lines.join("\n")}\n`);
    return lines;
  } finally {
    await model.dispose();
  }
}

const scoresOf = ({
  summary,
}: Result): Readonly<Record<string, { estimate: number | null; low: number | null; high: number | null }>> =>
  summary.classification!.scores;

function asJson(result: Result): object {
  const { variant, file, summary } = result;
  const difference = summary.comparison?.scores.find((s) => s.name === "uar");
  return {
    ...variant,
    predictions: file,
    scores: Object.fromEntries(SCORES.map(([, name]) => [name, scoresOf(result)[name]])),
    uar_difference: difference && { ...difference.difference, p_value: difference.p_value },
  };
}

function tableOf({ config, utterances }: Folds, chosen: readonly number[], results: readonly Result[]): Table {
  const { intervals, rows } = results[0]!.summary;
  return {
    caption: `Ablation on ${config.corpus.split(":")[0]}, ${emotionScheme(config.scheme).name}, ${config.protocol}, fold${chosen.length === 1 ? "" : "s"} ${chosen.join(", ")}: test scores in percent`,
    head: ["system", ...SCORES.map(([head]) => head), "change of UA", "p"],
    rows: results.map((result, i) => {
      const uar = result.summary.comparison?.scores.find((s) => s.name === "uar");
      const change = uar?.difference.estimate ?? null;
      const [first, ...others] = SCORES;
      return {
        cells: [
          result.variant.name,
          withInterval(scoresOf(result)[first[1]]),
          ...others.map(([, name]) => inPercent(scoresOf(result)[name]?.estimate)),
          change === null ? "–" : `${change >= 0 ? "+" : ""}${inPercent(change)}`,
          uar === undefined ? "–" : uar.p_value < 0.001 ? "< 0.001" : uar.p_value.toFixed(3),
        ],
        rule: result.variant.group !== results[i + 1]?.variant.group && i < results.length - 1,
      };
    }),
    notes: [
      `${rows} test utterances of ${utterances.size}. Brackets: ${(100 * intervals.level).toFixed(0)} % bootstrap intervals by ${intervals.unit} (${intervals.units}).`,
      `Each line changes one thing of the full system. p: paired permutation test of UA against it, not corrected for the number of lines.`,
      `Seed ${config.seed}.`,
    ],
  };
}
