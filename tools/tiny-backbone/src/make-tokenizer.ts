/** @file `node tools/setup/run.mjs tools/tiny-backbone/src/make-tokenizer.ts [FOLDER]`: learns the vocabulary and writes `model/` anew, without weights. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { trainBpe } from "./bpe.ts";
import { CONFIG, RECIPE, VOCABULARY_SIZE } from "./recipe.ts";
import { CONTROL_TOKENS, tokenizerConfig, tokenizerJson } from "./tokenizer-files.ts";
import { vocabularyText, wholeWords } from "./vocabulary-text.ts";

const folder = process.argv[2] ?? fileURLToPath(new URL("../model", import.meta.url));
const bpe = trainBpe(await vocabularyText(RECIPE.seed), VOCABULARY_SIZE - CONTROL_TOKENS.length, await wholeWords());
mkdirSync(folder, { recursive: true });
for (const [name, value] of Object.entries({
  "config.json": CONFIG,
  "tokenizer.json": tokenizerJson(bpe),
  "tokenizer_config.json": tokenizerConfig(),
})) {
  const file = join(folder, name);
  writeFileSync(`${file}.tmp`, `${JSON.stringify(value, null, 1)}\n`);
  renameSync(`${file}.tmp`, file);
}
console.log(
  JSON.stringify({ folder, vocabulary: bpe.tokens.length + CONTROL_TOKENS.length, merges: bpe.merges.length }),
);
