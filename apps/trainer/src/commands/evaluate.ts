/** @file `emosllm evaluate`: a bundle on a part of a corpus, with predictions, numbers with intervals, and the report page. */
import { join, resolve } from "node:path";
import { PARTS, SCHEMES } from "@emosllm/datasets";
import { EmosllmError } from "@emosllm/interfaces";
import { loadEmoSllm } from "@emosllm/model";
import { summarizePredictions } from "@emosllm/report";
import { defineCommand } from "citty";
import { makeFolder } from "../make-folder.ts";
import { corpusPart } from "../evaluation/corpus-part.ts";
import { judgePart } from "../evaluation/judge-part.ts";
import { summaryText } from "../evaluation/summary-text.ts";
import { writeReportPage } from "../report-page.ts";
import { statusLine } from "../status-line.ts";
import { writeWhole } from "../write-whole.ts";
import { numberArg, oneOf, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const evaluate = defineCommand({
  meta: {
    name: "evaluate",
    description:
      "Tests a bundle on a corpus or one part of a split: predictions.jsonl, metrics.json and report.html. Labels of another corpus are carried over by their names.",
  },
  args: {
    bundle: { type: "string", required: true, description: "folder of a trained model" },
    corpus: { type: "string", required: true, description: "NAME:PATH (emosllm corpus list)" },
    protocol: { type: "string", description: "split protocol; without one the whole corpus is tested" },
    fold: { type: "string", default: "1", description: "fold of the protocol, from 1" },
    split: { type: "string", default: "test", description: `part of the split: ${PARTS.join(", ")}` },
    scheme: { type: "string", description: "label scheme of the corpus, when it is not the bundle's" },
    seed: { type: "string", default: "0", description: "seed of the split's random rules and of the resampling" },
    transcripts: { type: "boolean", default: true, description: "--no-transcripts: by the sound alone" },
    transcribe: {
      type: "boolean",
      default: false,
      description: "have the model write the words down too: word and character error rate",
    },
    cluster: { type: "string", description: "key whose rows are drawn together (default: speaker when ten or more)" },
    "batch-size": { type: "string", default: "16", description: "clips judged together" },
    "max-bad-share": { type: "string", default: "0.01", description: "share of unreadable clips that is put up with" },
    out: { type: "string", required: true, description: "folder to write into" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const [fold, seed] = [wholeArg("fold", args.fold, 1), wholeArg("seed", args.seed, 0)];
    const part = oneOf("split", args.split, PARTS);
    const batchSize = wholeArg("batch-size", args["batch-size"], 1);
    const mostBad = numberArg("max-bad-share", args["max-bad-share"], 0);
    const model = await loadEmoSllm(args.bundle);
    try {
      const { labels } = model.manifest;
      const known = Object.hasOwn(SCHEMES, labels.scheme) ? SCHEMES[labels.scheme] : undefined;
      const { utterances, split, scheme } = await corpusPart(args.corpus, {
        labels: known ?? { name: labels.scheme, labels: [...model.labels], mapping: {} },
        scheme: args.scheme,
        protocol: args.protocol,
        fold,
        seed,
        part,
      });
      const line = statusLine();
      let bad = 0;
      const rows = await judgePart(model, utterances, {
        transcripts: args.transcripts,
        transcribe: args.transcribe,
        batchSize,
        fold: split && fold,
        onBad: (message) => {
          bad++;
          process.stderr.write(`left out: ${message}\n`);
        },
        onProgress: (done) => line.show(`${done}/${utterances.length} utterances`),
      });
      line.clear();
      if (rows.length === 0 || bad / utterances.length > mostBad)
        throw new EmosllmError(
          "corpus_invalid",
          `${args.corpus}: ${bad} of ${utterances.length} clips cannot be judged, more than --max-bad-share ${mostBad}; nothing was written`,
        );
      await makeFolder(args.out);
      const file = join(args.out, "predictions.jsonl");
      await writeWhole(file, `${rows.join("\n")}\n`);
      const summary = await summarizePredictions(file, { labels: model.labels, cluster: args.cluster, seed });
      const about = {
        bundle: resolve(args.bundle),
        corpus: args.corpus,
        scheme,
        transcripts: args.transcripts,
        left_out: bad,
        split: split && { protocol: split.protocol, fold, seed, part, sha256: split.sha256 },
        prompt_sha256: model.manifest.prompt_sha256,
      };
      await writeWhole(join(args.out, "metrics.json"), `${JSON.stringify({ ...about, ...summary }, null, 2)}\n`);
      const page = join(args.out, "report.html");
      await writeReportPage(page, summary, { title: `${args.corpus}: ${part}`, sound: true, folder: args.out });
      process.stdout.write(args.json ? `${JSON.stringify({ ...about, ...summary })}\n` : summaryText(summary));
      process.stderr.write(`report: ${page}\n`);
    } finally {
      await model.dispose();
    }
  },
});
export default evaluate as AnyCommand;
