/** Folders with spaces and letters of any script, files with a byte order mark and Windows' line ends: from the corpus to the answer. */
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeIemocap } from "@emosllm/datasets/testing";
import { afterAll, expect, test } from "vitest";
import { SMALL, recipe, tinyModel } from "./tiny-run.ts";
import { run } from "./run.ts";

const folder = await mkdtemp(join(tmpdir(), "emosllm paths äöü 感情 'q' & #1 %20-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const windows = (text: string): string => `\uFEFF${text.replaceAll("\n", "\r\n")}`;
const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

test("a config, a manifest, prompts and predictions with CRLF and a byte order mark; every path odd", async () => {
  const tree = join(folder, "mein Korpus");
  writeIemocap(tree, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
  const clips = (await readdir(tree, { recursive: true })).filter((f) => /sentences.*Ses0[15].*\.wav$/.test(f)).sort();
  // A manifest beside the tree, its paths relative to itself.
  const labels = ["angry", "happy", "neutral", "sad"];
  const rows = clips.map(
    (f, i) => `c${i},mein Korpus/${f.replaceAll("\\", "/")},${labels[i % 4]},s${i % 3},"one, two"`,
  );
  const manifest = join(folder, "Äußerungen.csv");
  await writeFile(manifest, windows(`id,audio,label,speaker,text\n${rows.join("\n")}\n`));
  const prompts = join(folder, "meine Prompts.yaml");
  await writeFile(
    prompts,
    windows(
      "name: eigen\ntask: emotion\nlanguage: de\nmessages:\n  - role: user\n    content: |-\n      {audio}\n      Wie klingt das? Antworte mit einem von: {labels}.\n",
    ),
  );
  const config = join(folder, "Einstellungen 1.yaml");
  const quoted = (s: string): string => JSON.stringify(s);
  await writeFile(
    config,
    windows(
      `extends: ${quoted(recipe("demo"))}\nmodel_name_or_path: ${quoted(tinyModel)}\ncorpus: ${quoted(`csv:${manifest}`)}\nscheme: [angry, happy, neutral, sad]\nprotocol: random-utterances\nprompt: [${quoted(prompts)}]\nfold: 1\noutput_dir: ${quoted(join(folder, "mein Lauf"))}\n`,
    ),
  );
  const trained = await run("train", config, ...SMALL, "max_steps=1", "--json");
  expect(trained.code, trained.err).toBe(0);
  const { bundle } = json(trained.out.trim().split("\n").at(-1) as string) as { bundle: string };
  const answer = await run("predict", "--bundle", bundle, join(tree, clips[0] as string), "--json");
  expect(answer.code, answer.err).toBe(0);
  expect(labels).toContain(json(answer.out.trim().split("\n")[0] as string)["label"]);
  const lines = join(folder, "Äußerungen.jsonl");
  const entry = (f: string, i: number): string =>
    JSON.stringify({ id: `j${i}`, audio: join(tree, f), label: labels[i % 4] });
  await writeFile(lines, windows(`${clips.map(entry).join("\n")}\n`));
  const audited = await run("corpus", "audit", `jsonl:${lines}`, "--json");
  expect(audited.code, audited.err + audited.out).toBe(0);
  expect(JSON.stringify(json(audited.out))).toContain(String(clips.length));
  // What was written is read back with the other line ends.
  const predictions = join(folder, "Vorhersagen.jsonl");
  await writeFile(predictions, windows(await readFile(join(folder, "mein Lauf", "predictions.jsonl"), "utf8")));
  const measured = await run("metrics", predictions, "--json", "--report", "none");
  expect(measured.code, measured.err).toBe(0);
});
