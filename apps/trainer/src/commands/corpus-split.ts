/** @file `emosllm corpus split`: the card of one fold. */
import { applyProtocol, type Protocol } from "@emosllm/datasets";
import { defineCommand } from "citty";
import { wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";
import { CORPUS_ARG, PROTOCOL_ARG, SCHEME_ARG, SEED_ARG, asUsage, loadCorpus } from "./_corpus-part.ts";

const command = defineCommand({
  meta: { name: "split", description: "Prints the split card of one fold: counts, speakers, hours, overlap, hash." },
  args: {
    corpus: CORPUS_ARG,
    protocol: { ...PROTOCOL_ARG, required: true },
    scheme: SCHEME_ARG,
    fold: { type: "string", default: "1", description: "from 1" },
    seed: SEED_ARG,
    json: { type: "boolean", default: true, description: "one JSON object, as always" },
  },
  async run({ args }) {
    const { utterances, protocol } = await loadCorpus(args.corpus, args.scheme, args.protocol);
    const fold = wholeArg("fold", args.fold, 1);
    const seed = wholeArg("seed", args.seed, 0);
    const split = await asUsage(() => applyProtocol(protocol as Protocol, utterances, { fold, seed }));
    process.stdout.write(
      `${JSON.stringify({ protocol: split.protocol, fold, seed, sha256: split.sha256, ...split.card })}\n`,
    );
  },
});

export default command as AnyCommand;
