/** @file `npm start`: makes the demo corpus, trains on sessions 1 to 4, tests on session 5, and says how to go on. */
import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { makeDemoCorpus } from "@emosllm-tools/demo-corpus";
import {
  metricsOf,
  progressWriter,
  readTrainConfig,
  type RunResult,
  runTraining,
  writeRunReport,
  writeWhole,
} from "@emosllm/trainer";

const say = (text = ""): boolean => process.stdout.write(`${text}\n`);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const start = performance.now();
const root = process.env["EMOSLLM_ROOT"] ?? process.cwd();
process.chdir(root);
const progress = progressWriter({ every: 20 });

try {
  const config = await readTrainConfig("apps/trainer/recipes/demo.yaml", [
    // A finished run is trained anew (the code may have changed), an interrupted one goes on.
    "overwrite_output_dir=true",
    ...process.argv.slice(2),
  ]);
  const corpusRoot = config.corpus.replace(/^iemocap:/, "");
  say(`EmoSLLM: a speech-emotion language model, trained here and now.\n`);
  say(`1. Speech: ten synthetic speakers in five sessions, laid out like IEMOCAP, in ${corpusRoot}`);
  const corpus = await makeDemoCorpus(corpusRoot, {
    onProgress: (p) => progress({ type: "data", what: "clips spoken", ...p }),
  });
  say(`   ${corpus.clips} clips${corpus.made ? "" : ", already there"}\n`);
  say(`2. Training: QPMapper and LoRA on a tiny frozen Llama, ${config.scheme}, session ${config.fold} held out`);
  const result = await runTraining(config, progress);
  const totalSeconds = (performance.now() - start) / 1000;
  await writeSummary(config.output_dir, result, totalSeconds);
  const title = "EmoSLLM on the demo corpus: a held-out session";
  const page = await writeRunReport(config.output_dir, result.test.confusion.labels, title);
  report(result, totalSeconds);
  const example = result.test.answers[0]?.sample.utterance.audio.path ?? "FILE.wav";
  say(
    `\nFigures: ${page} (open it in a browser) and ${join(config.output_dir, "summary.json")}. The model: ${result.bundle}. Ask it about a file:\n`,
  );
  say(`  npm run -s emosllm -- predict --bundle ${result.bundle} ${relative(root, example)}\n`);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env["EMOSLLM_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}

async function writeSummary(folder: string, result: RunResult, totalSeconds: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const summary = {
    ...metricsOf(result),
    train_seconds: Number(result.trainSeconds.toFixed(1)),
    total_seconds: Number(totalSeconds.toFixed(1)),
  };
  await writeWhole(join(folder, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
}

function report({ test, audioOnly, textOnly, majorityWa, trainSeconds }: RunResult, totalSeconds: number): void {
  const speakers = new Set(test.answers.map((a) => a.sample.utterance.speaker));
  say(`\n3. Test: ${test.answers.length} utterances of ${speakers.size} speakers the model has never heard\n`);
  const rows = [
    ["", "UA", "WA"],
    ["audio and words", percent(test.ua), percent(test.wa)],
    ["audio alone", percent(audioOnly.ua), percent(audioOnly.wa)],
    ["words alone", percent(textOnly.ua), percent(textOnly.wa)],
    ["majority class", percent(1 / test.confusion.labels.length), percent(majorityWa)],
  ];
  for (const [name = "", ua = "", wa = ""] of rows) say(`   ${name.padEnd(18)}${ua.padStart(8)}${wa.padStart(9)}`);
  const { labels, counts } = test.confusion;
  const width = Math.max(...labels.map((l) => l.length)) + 2;
  say(`\n   UA: unweighted average recall, WA: accuracy. Rows: true label, columns: answer.\n`);
  say(`   ${"".padEnd(width)}${labels.map((l) => l.padStart(width)).join("")}`);
  labels.forEach((label, i) =>
    say(`   ${label.padEnd(width)}${(counts[i] ?? []).map((n) => String(n).padStart(width)).join("")}`),
  );
  say(`\n   trained in ${trainSeconds.toFixed(0)} s, ${totalSeconds.toFixed(0)} s in all`);
}
