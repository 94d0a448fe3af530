/** Each example is run as its README says, in a process of its own; what it prints is what the README shows. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { syllables, wavFile } from "@emosllm/datasets/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { differences, fencedBlocks } from "./printed.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const tsx = pathToFileURL(join(root, "node_modules/tsx/dist/esm/index.mjs")).href;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "emosllm-examples-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(example: string, ...args: string[]): string {
  const main = join(root, "examples", example, "main.ts");
  const command = ["--conditions=@emosllm/source", "--import", tsx, main, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return stdout;
}
const shown = (example: string): string =>
  fencedBlocks(join(root, "examples", example, "README.md")).find((b) => b.language === "text")!.text;

describe.each(["dataset-loader", "features-only", "metrics-only"])("%s", (example) => {
  test("prints what its README shows", () => expect(differences(shown(example), run(example))).toEqual([]));
});

describe("a model of your own clips", () => {
  /** A table of clips whose loudness and pitch follow their label. */
  function writeTable(): string {
    const rows = Array.from({ length: 24 }, (_, i) => {
      const stressed = i % 2 === 1;
      const sound = syllables(i, 1.2).map((v) => v * (stressed ? 1 : 0.1));
      writeFileSync(join(folder, `${i}.wav`), wavFile([sound]));
      return `${i}.wav,${stressed ? "stressed" : "calm"},${i < 16 ? "train" : "test"}`;
    });
    const table = join(folder, "turns.csv");
    // As a spreadsheet on Windows saves it.
    writeFileSync(table, `\uFEFFaudio,label,split\r\n${rows.join("\r\n")}\r\n`);
    return table;
  }

  test("is trained by a script of at most 30 lines, and served by another", () => {
    for (const example of ["fine-tune-csv", "serve"])
      expect(
        readFileSync(join(root, "examples", example, "main.ts"), "utf8")
          .trim()
          .split("\n").length,
      ).toBeLessThanOrEqual(30);
    const model = `model_name_or_path=${join(root, "tools/tiny-backbone/model")}`;
    const printed = run(
      "fine-tune-csv",
      writeTable(),
      model,
      "projector.hidden_size=32",
      "projector.num_heads=4",
      "num_train_epochs=8",
    );
    expect(printed).toMatch(/^UA (0\.[5-9]\d|1\.00) on 8 test clips; the model is in /);
    expect(printed).toMatch(/^(calm|stressed) \{ calm: [\d.e-]+, stressed: [\d.e-]+ \}$/m);
    const [label, emotions] = run("serve", join(folder, "runs/own/best"), join(folder, "23.wav")).split(/ (.*)/s);
    expect(["calm", "stressed"]).toContain(label);
    expect(emotions).toContain("score");
  });
});

test("every example is in this test", () => {
  const examples = readdirSync(join(root, "examples"));
  const known = ["browser", "dataset-loader", "features-only", "fine-tune-csv", "metrics-only", "serve"];
  expect(examples.filter((e) => !e.startsWith(".") && !known.includes(e))).toEqual([]);
});
