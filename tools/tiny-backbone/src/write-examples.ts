/** @file `node tools/setup/run.mjs tools/tiny-backbone/src/write-examples.ts FILE [SEED] [COUNT]`: examples as JSON lines, for checks elsewhere. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadTokenizer } from "@emosllm/prompts";
import { trainingExamples } from "./examples.ts";

const [file, seed = "2", count = "600"] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: write-examples.ts FILE [SEED] [COUNT]");
  process.exitCode = 2;
} else {
  const tokenizer = await loadTokenizer(fileURLToPath(new URL("../model", import.meta.url)));
  const lines: string[] = [];
  for (const { ids, lossMask } of await trainingExamples(Number(seed), tokenizer)) {
    const answer = lossMask && tokenizer.decode(ids.filter((id, i) => lossMask[i] && id !== tokenizer.endOfTurn));
    lines.push(JSON.stringify({ ids, lossMask, answer }));
    if (lines.length === Number(count)) break;
  }
  writeFileSync(file, `${lines.join("\n")}\n`);
}
