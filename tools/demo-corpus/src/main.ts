/** @file `node tools/setup/run.mjs tools/demo-corpus/src/main.ts FOLDER [--seed N] [--utterances-per-speaker N]` */
import { parseArgs } from "node:util";
import { makeDemoCorpus } from "./corpus.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, "utterances-per-speaker": { type: "string" }, workers: { type: "string" } },
});
const [root] = positionals;
if (root === undefined) {
  console.error("usage: main.ts FOLDER [--seed N] [--utterances-per-speaker N] [--workers N]");
  process.exitCode = 2;
} else {
  const began = performance.now();
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  const seed = number(values.seed);
  const utterancesPerSpeaker = number(values["utterances-per-speaker"]);
  const workers = number(values.workers);
  try {
    const made = await makeDemoCorpus(root, {
      ...(seed === undefined ? {} : { seed }),
      ...(utterancesPerSpeaker === undefined ? {} : { utterancesPerSpeaker }),
      ...(workers === undefined ? {} : { workers }),
    });
    console.log(JSON.stringify({ ...made, took_seconds: Number(((performance.now() - began) / 1000).toFixed(1)) }));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
