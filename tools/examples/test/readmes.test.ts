/** The first example of each package's README is compiled and run in a folder with a tiny model; it prints what the README shows. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { formatWithOptions } from "node:util";
import { syllables, wavFile } from "@emosllm/datasets/testing";
import { readTrainConfig, runTraining } from "@emosllm/trainer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { differences, fencedBlocks } from "./printed.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** Inside the package, so that its dependencies are found; ignored by git. */
const snippets = join(root, "tools/examples/.cache");
const PACKAGES =
  "audio-features backbones checkpoints datasets eval-metrics generation graph interfaces lora model projector prompts report runtime training";
const READMES = [...PACKAGES.split(" ").map((name) => `packages/${name}`), "apps/serving"];

interface Example {
  readonly file: string;
  readonly shown: string;
}
const examples = new Map<string, Example>();
const started = process.cwd();
let folder: string;

/** The first block of code and the block of text after it. */
function exampleOf(readme: string): { code: string; shown: string } {
  const blocks = fencedBlocks(join(root, readme, "README.md"));
  const at = blocks.findIndex((b) => b.language === "ts" || b.language === "js");
  const [code, shown] = [blocks[at], blocks[at + 1]];
  if (!code || shown?.language !== "text") throw new Error(`${readme}/README.md: no example with what it prints`);
  return { code: code.text, shown: shown.text };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "emosllm-readmes-"));
  process.chdir(folder);
  cpSync(join(root, "tools/tiny-backbone/model"), join(folder, "models/tiny-llama"), { recursive: true });
  writeFileSync("turn.wav", wavFile([syllables(3, 2.5)]));
  const rows = Array.from({ length: 8 }, (_, i) => {
    writeFileSync(`${i}.wav`, wavFile([syllables(i, 0.6)]));
    return `${i}.wav,${i % 2 === 0 ? "happy" : "sad"},${i < 4 ? "train" : "test"}`;
  });
  writeFileSync("turns.csv", `audio,label,split\n${rows.join("\n")}\n`);
  const config = await readTrainConfig(join(root, "examples/fine-tune-csv/config.yaml"), [
    "model_name_or_path=models/tiny-llama",
    'scheme=["happy","sad"]',
    "output_dir=runs/demo",
    "max_steps=2",
    "projector.hidden_size=32",
    "projector.num_heads=4",
    "report_to=[]",
  ]);
  await runTraining(config, () => {});

  rmSync(snippets, { recursive: true, force: true });
  mkdirSync(snippets, { recursive: true });
  for (const readme of READMES) {
    const { code, shown } = exampleOf(readme);
    const file = join(snippets, `${readme.replace("/", "-")}.ts`);
    writeFileSync(file, code);
    examples.set(readme, { file, shown });
  }
}, 120_000);
afterAll(() => {
  process.chdir(started);
  rmSync(folder, { recursive: true, force: true });
  rmSync(snippets, { recursive: true, force: true });
});

test("all compile as a strict project of a user's would", () => {
  const tsconfig = join(snippets, "tsconfig.json");
  const own = { rootDir: root, noEmit: true, composite: false, incremental: false, declaration: false };
  const off = { declarationMap: false, isolatedDeclarations: false, lib: ["es2023", "esnext.disposable"] };
  const compilerOptions = { ...own, ...off, tsBuildInfoFile: null };
  writeFileSync(
    tsconfig,
    JSON.stringify({ extends: "../../../tsconfig.base.json", compilerOptions, include: ["*.ts"] }),
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", tsconfig, "--pretty", "false"], { encoding: "utf8" });
  expect(stdout).toBe("");
});

/** Writes what is printed into the README (`EMOSLLM_UPDATE_READMES=1`): read the change before you commit it. */
function update(readme: string, printed: string): void {
  const file = join(root, readme, "README.md");
  const text = readFileSync(file, "utf8");
  const first = /(^```(?:ts|js)\n.*?^```\n\n```text\n).*?(^```$)/ms;
  writeFileSync(
    file,
    text.replace(first, (_, before: string, after: string) => `${before}${printed.trimEnd()}\n${after}`),
  );
}

test.each(READMES)("%s prints what its README shows", async (readme) => {
  const { file, shown } = examples.get(readme)!;
  let printed = "";
  const [log, write] = [console.log, process.stdout.write];
  console.log = (...values: unknown[]) => void (printed += `${formatWithOptions({ colors: false }, ...values)}\n`);
  process.stdout.write = ((text: string) => ((printed += text), true)) as typeof process.stdout.write;
  try {
    await import(pathToFileURL(file).href);
  } finally {
    console.log = log;
    process.stdout.write = write;
  }
  if (process.env["EMOSLLM_UPDATE_READMES"]) update(readme, printed);
  else expect(differences(shown, printed), printed).toEqual([]);
});
