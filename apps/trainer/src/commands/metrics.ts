/** @file `emosllm metrics`: every number of a file of predictions, two systems compared, and a page with figures. */
import { dirname, join, resolve } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { type SummaryOptions, summarizePredictions } from "@emosllm/report";
import { defineCommand } from "citty";
import { summaryText } from "../evaluation/summary-text.ts";
import { writeReportPage } from "../report-page.ts";
import { listArg, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const metrics = defineCommand({
  meta: {
    name: "metrics",
    description: "Every number of a file of predictions, with intervals; two systems compared; a page with figures.",
  },
  args: {
    predictions: { type: "positional", required: true, description: "PREDICTIONS.jsonl, one utterance a line" },
    compare: { type: "string", description: "another system's predictions of the same utterances, paired by id" },
    json: { type: "boolean", default: false, description: "print one JSON object and write no page unless --report" },
    report: {
      type: "string",
      description:
        "where to write the page; none for no page (default: report.html beside PREDICTIONS, with --json none)",
    },
    labels: { type: "string", description: "the classes in order, comma-separated (default: all that occur, sorted)" },
    slice: {
      type: "string",
      description: "keys to slice by, comma-separated (default: speaker, gender, session, ...)",
    },
    cluster: {
      type: "string",
      description:
        "key whose rows are drawn together; none for single rows (default: speaker when ten or more are known)",
    },
    rounds: { type: "string", default: "1000", description: "bootstrap rounds" },
    permutations: { type: "string", default: "10000", description: "random swaps of the permutation tests" },
    level: { type: "string", default: "0.95", description: "level of the intervals" },
    method: { type: "string", default: "percentile", description: "percentile or bca" },
    seed: { type: "string", default: "0", description: "seed of the resampling" },
    validation: { type: "string", description: "predictions to fit a temperature on; it is applied to PREDICTIONS" },
    normalize: { type: "boolean", default: true, description: "normalise texts for WER (--no-normalize: as they are)" },
    hardest: { type: "string", default: "20", description: "how many of the worst errors to list" },
    audio: { type: "boolean", default: true, description: "put the worst errors' sound into the page (--no-audio)" },
    title: { type: "string", description: "title of the page" },
  },
  async run({ args }) {
    const level = Number(args.level);
    if (!(level > 0 && level < 1))
      throw new EmosllmError("usage", `--level ${args.level}: expected a share such as 0.95`);
    if (args.method !== "percentile" && args.method !== "bca")
      throw new EmosllmError("usage", `--method ${args.method}: expected percentile or bca`);
    const options: SummaryOptions = {
      compare: args.compare,
      labels: listArg(args.labels),
      slices: listArg(args.slice),
      cluster: args.cluster,
      rounds: wholeArg("rounds", args.rounds, 1),
      permutations: wholeArg("permutations", args.permutations, 1),
      level,
      method: args.method,
      seed: wholeArg("seed", args.seed, 0),
      validation: args.validation,
      normalize: args.normalize,
      hardest: wholeArg("hardest", args.hardest, 0),
    };
    const summary = await summarizePredictions(args.predictions, options);
    process.stdout.write(args.json ? `${JSON.stringify(summary)}\n` : summaryText(summary));
    const page = args.report ?? (args.json ? "none" : join(dirname(args.predictions), "report.html"));
    if (page === "none") return;
    await writeReportPage(page, summary, {
      title: args.title,
      sound: args.audio,
      folder: dirname(resolve(args.predictions)),
    });
    process.stderr.write(`report: ${page}\n`);
  },
});
export default metrics as AnyCommand;
