/** @file `emosllm corpus export`: a corpus, or one fold of it, in another form. */
import { applyProtocol, EXPORT_FORMATS, EXTRA_COLUMNS, exportCorpus, type ExportFormat } from "@emosllm/datasets";
import { EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { oneOf, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";
import { CORPUS_ARG, PROTOCOL_ARG, SCHEME_ARG, SEED_ARG, asUsage, foldArg, loadCorpus } from "./_corpus-part.ts";

const command = defineCommand({
  meta: {
    name: "export",
    description: "Writes a corpus, or one fold of it, as JSONL, CSV, Parquet, EmoBox or ms-swift lines.",
  },
  args: {
    corpus: CORPUS_ARG,
    out: { type: "string", required: true, description: "the file to write" },
    format: { type: "string", default: "jsonl", description: EXPORT_FORMATS.join(", ") },
    scheme: SCHEME_ARG,
    protocol: PROTOCOL_ARG,
    fold: { type: "string", description: "fold of the protocol, from 1 (default 1)" },
    seed: SEED_ARG,
    embed: { type: "boolean", default: false, description: "Parquet: put the sound into the file" },
    prompt: { type: "string", description: "ms-swift: the question after <audio>" },
    extra: { type: "string", description: "more columns: channel, language, corpus, duration, attributes" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const format: ExportFormat = oneOf("format", args.format, EXPORT_FORMATS);
    const fold = foldArg(args.fold);
    const seed = wholeArg("seed", args.seed, 0);
    if (fold !== undefined && args.protocol === undefined)
      throw new EmosllmError("usage", `--fold ${fold} needs a --protocol`);
    const extra = (args.extra ?? "")
      .split(",")
      .filter((c) => c !== "")
      .map((c) => oneOf("extra", c, EXTRA_COLUMNS));
    const { utterances, protocol, problems } = await loadCorpus(args.corpus, args.scheme, args.protocol);
    const split = protocol && (await asUsage(() => applyProtocol(protocol, utterances, { fold: fold ?? 1, seed })));
    const result = await exportCorpus(utterances, args.out, {
      format,
      extra,
      embedAudio: args.embed,
      ...(split ? { split } : {}),
      ...(args.prompt === undefined ? {} : { prompt: args.prompt }),
    });
    const card = split && { protocol: split.protocol, fold: split.fold, seed, sha256: split.sha256, ...split.card };
    if (args.json)
      process.stdout.write(
        `${JSON.stringify({ ...result, format, problems: problems.length, split: card ?? null })}\n`,
      );
    else
      process.stdout.write(
        `${result.path}: ${result.rows} rows, sha256 ${result.sha256}; ${problems.length} problems on the way\n`,
      );
  },
});

export default command as AnyCommand;
