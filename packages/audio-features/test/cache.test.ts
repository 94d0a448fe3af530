import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  audioKey,
  buildFeatures,
  cacheableFeature,
  cacheSizes,
  encodeWav,
  FEATURE_KINDS,
  featureFolder,
  loadSpeech,
  openFeatureCache,
  pruneCache,
  verifyCache,
  workShard,
} from "../src/index.ts";
import { levels } from "./cache-feature.ts";
import { seeded } from "./fixtures.ts";

const CLIPS = 37;
let root: string;
let clipFolder: string;
const clips = (): { id: string; audio: { path: string } }[] =>
  readdirSync(clipFolder)
    .sort()
    .map((name) => ({ id: name, audio: { path: join(clipFolder, name) } }));

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "emosllm-cache-"));
  clipFolder = join(root, "clips");
  mkdirSync(clipFolder);
  for (let i = 0; i < CLIPS; i++) {
    // Clips 5 and 30, in different shards, hold the same sound.
    const random = seeded(i === 30 ? 5 : i);
    const samples = Float32Array.from({ length: 2000 + 400 * (i === 30 ? 5 : i) }, () => random() - 0.5);
    writeFileSync(
      join(clipFolder, `${String(i).padStart(3, "0")}.wav`),
      encodeWav({ samples: [samples], sampleRate: 16000 }),
    );
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Every file below `folder` with the hash of its content. */
function tree(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const entries = files.map((entry) => {
    const file = join(entry.parentPath, entry.name);
    return [relative(folder, file), createHash("sha256").update(readFileSync(file)).digest("hex")] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const build = (cache: string, shard = "0/1"): ReturnType<typeof buildFeatures> =>
  buildFeatures(clips(), { features: [levels], cache, clipsPerShard: 8, shard: workShard(shard) });

let wholeRun: string;
beforeAll(async () => {
  wholeRun = join(root, "whole");
  await build(wholeRun);
});

test("features come back as they were put, by the sound's key", async () => {
  await using cache = await openFeatureCache(wholeRun, levels);
  expect(cache.keys().length).toBe(CLIPS - 1);
  for (const clip of clips()) {
    const samples = await loadSpeech(clip.audio);
    expect(await cache.get(audioKey(samples, 16000))).toEqual(levels.compute(samples, 16000));
  }
  expect(await cache.get("0".repeat(64))).toBeUndefined();
});

test("another setting or model is another folder, the order of settings is not", () => {
  const base = featureFolder({ kind: "f0", settings: { a: 1, b: [2, { c: 3, d: undefined }] } });
  expect(featureFolder({ kind: "f0", settings: { b: [2, { c: 3 }], a: 1 } })).toBe(base);
  expect(featureFolder({ kind: "f0", settings: { a: 1, b: [2, { c: 4 }] } })).not.toBe(base);
  expect(featureFolder({ kind: "f0", settings: { a: 1, b: [2, { c: 3 }] }, model: "x" })).not.toBe(base);
  expect(() => featureFolder({ kind: "../f0" })).toThrow("feature kind '../f0'");
});

describe("n shards leave the files of one run, bit for bit", () => {
  test.each([2, 3, 7])("%i shards, last first", async (n) => {
    const cache = join(root, `shards-${n}`);
    for (let i = n - 1; i >= 0; i--) await build(cache, `${i}/${n}`);
    expect(tree(cache)).toEqual(tree(wholeRun));
  });
});

test("a second run computes nothing and changes nothing", async () => {
  const before = tree(wholeRun);
  const summary = await build(wholeRun);
  expect(summary).toMatchObject({ clips: CLIPS, computed: 0, cached: CLIPS, failed: 0 });
  expect(tree(wholeRun)).toEqual(before);
});

const repository = join(import.meta.dirname, "../../..");
function start(
  cache: string,
  shard: string,
  delay: number,
): { child: ChildProcess; output: () => string; ended: Promise<void> } {
  const script = join(import.meta.dirname, "cache-worker.ts");
  const args = ["--conditions=@emosllm/source", "--import=tsx", script, clipFolder, cache, shard, String(delay)];
  const child = spawn(process.execPath, args, { cwd: repository, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (part: Buffer) => (text += part.toString()));
  return { child, output: () => text, ended: new Promise((resolve) => child.on("close", () => resolve())) };
}

const looseAndTemporary = (cache: string): string[] =>
  Object.keys(tree(cache)).filter((name) => name.includes("loose") || name.includes("work"));

test("kill -9 at any moment loses at most the clip in flight", { timeout: 120_000 }, async () => {
  const cache = join(root, "killed");
  const random = seeded(9);
  let kills = 0;
  for (let finished = false; !finished;) {
    const { child, output, ended } = start(cache, "0/1", 15);
    // After some number of clips, at an arbitrary moment of the next.
    const after = 8 + Math.floor(random() * 10);
    const watch = setInterval(() => {
      if (
        output()
          .split("\n")
          .filter((line) => line.startsWith("computed")).length < after
      )
        return;
      clearInterval(watch);
      setTimeout(() => child.kill("SIGKILL"), random() * 25);
    }, 1);
    await ended;
    clearInterval(watch);
    finished = output().includes("finished");
    if (finished) break;
    kills++;
    expect(await verifyCache(cache)).toEqual([]);
    const reported = output()
      .split("\n")
      .filter((line) => /^(computed|cached) \S+\.wav$/.test(line));
    await using opened = await openFeatureCache(cache, levels);
    for (const line of reported) {
      const samples = await loadSpeech(join(clipFolder, line.split(" ")[1]!));
      expect(opened.has(audioKey(samples, 16000)), line).toBe(true);
    }
  }
  expect(kills).toBeGreaterThan(1);
  // What the killed ones left went when the next one of this machine began.
  expect(tree(cache)).toEqual(tree(wholeRun));
});

test("three writers of the same clips at once leave the files of one", { timeout: 60_000 }, async () => {
  const cache = join(root, "together");
  const writers = [start(cache, "0/1", 2), start(cache, "0/1", 3), start(cache, "0/1", 1)];
  await Promise.all(writers.map(({ ended }) => ended));
  for (const { output } of writers) expect(output()).toContain("finished");
  expect(looseAndTemporary(cache)).toEqual([]);
  expect(tree(cache)).toEqual(tree(wholeRun));
});

test("damage is found, named, removed and computed again", async () => {
  const cache = join(root, "damaged");
  cpSync(wholeRun, cache, { recursive: true });
  expect(await verifyCache(cache)).toEqual([]);
  const [first, second] = Object.keys(tree(cache)).filter((name) => name.includes("shards")) as [string, string];
  const bytes = readFileSync(join(cache, first));
  bytes[bytes.length - 100]! ^= 1;
  writeFileSync(join(cache, first), bytes);
  writeFileSync(join(cache, second), readFileSync(join(cache, second)).subarray(0, 1200));
  const problems = await verifyCache(cache, { repair: true });
  expect(problems.map(({ file }) => relative(cache, file))).toEqual([first, second]);
  expect(problems[0]!.message).toContain("not to its name");
  expect(problems[1]!.message).toContain("has only 1200");
  await build(cache);
  expect(tree(cache)).toEqual(tree(wholeRun));
});

test("a clip that cannot be decoded is reported and passed over", async () => {
  const cache = join(root, "failing");
  const events: string[] = [];
  const bad = { id: "bad", audio: { path: join(clipFolder, "none.wav") } };
  const summary = await buildFeatures([bad, ...clips().slice(0, 3)], {
    features: [levels],
    cache,
    onEvent: ({ type, message }) => events.push(`${type}${message ? ` ${message}` : ""}`),
  });
  expect(summary).toMatchObject({ clips: 4, computed: 3, failed: 1 });
  expect(events[0]).toMatch(/^failed .*none\.wav: no such file$/);
});

test("sizes, and pruning by feature, age and size", async () => {
  const cache = join(root, "pruned");
  await build(cache);
  await buildFeatures(clips().slice(0, 2), { features: [{ ...levels, settings: { hop: 0.02 } }], cache });
  const sizes = await cacheSizes(cache);
  expect(sizes.map(({ clips: n, shards, loose }) => [n, shards, loose]).sort((a, b) => a[0]! - b[0]!)).toEqual([
    [2, 1, 0],
    [CLIPS - 1, 5, 0],
  ]);
  const main = sizes.find(({ shards }) => shards === 5)!;
  expect(main.bytes).toBe(
    Object.keys(tree(join(cache, main.feature))).reduce(
      (sum, name) => sum + statSync(join(cache, main.feature, name)).size,
      0,
    ),
  );
  // Of another machine, where nobody knows whether that process is at work.
  mkdirSync(join(cache, main.feature, "work", "elsewhere.1.0123456789ab"), { recursive: true });
  const leftover = join(cache, main.feature, "work", "elsewhere.1.0123456789ab", "tensors");
  writeFileSync(leftover, "half");
  expect(await pruneCache(cache)).toEqual({ files: 0, bytes: 0 });
  utimesSync(leftover, 1, 1);
  expect(await pruneCache(cache, { dryRun: true })).toEqual({ files: 1, bytes: 4 });
  expect(await pruneCache(cache)).toEqual({ files: 1, bytes: 4 });
  await pruneCache(cache, { keep: [main.feature] });
  expect((await cacheSizes(cache)).map(({ feature }) => feature)).toEqual([main.feature]);
  await pruneCache(cache, { maxBytes: 10_000 });
  const [left] = await cacheSizes(cache);
  expect(left!.shards).toBeLessThan(5);
  expect(await verifyCache(cache)).toEqual([]);
  await expect(cacheSizes(join(root, "nothing"))).rejects.toThrow("no such cache folder");
});

describe("a full disk", () => {
  // A file system of 100 KiB needs the right to mount one.
  const small = mkdtempSync(join(tmpdir(), "emosllm-full-"));
  let mounted = false;
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=100k", "tmpfs", small], { stdio: "ignore" });
    mounted = true;
  } catch {
    // Not allowed here.
  }
  afterAll(() => {
    if (mounted) execFileSync("umount", [small]);
    rmSync(small, { recursive: true, force: true });
  });
  test.skipIf(!mounted)("is a clear error, and what was there stays good", async () => {
    const cache = join(small, "cache");
    const done: string[] = [];
    const full = buildFeatures(clips(), {
      features: [levels],
      cache,
      clipsPerShard: 64,
      onEvent: ({ id }) => done.push(id),
    });
    await expect(full).rejects.toMatchObject({ code: "disk_full", message: expect.stringContaining("no space left") });
    expect(done.length).toBeGreaterThan(0);
    expect(await verifyCache(cache)).toEqual([]);
    await using opened = await openFeatureCache(cache, levels);
    for (const id of done) {
      const samples = await loadSpeech(join(clipFolder, id));
      expect(await opened.get(audioKey(samples, 16000))).toEqual(levels.compute(samples, 16000));
    }
    expect(Object.keys(tree(cache)).filter((name) => name.includes("work"))).toEqual([]);
  });
});

test("the shard is given, or the job's", () => {
  expect(workShard("3/8")).toEqual({ index: 3, count: 8 });
  expect(workShard(undefined, {})).toEqual({ index: 0, count: 1 });
  expect(workShard(undefined, { JOB_COMPLETION_INDEX: "2", EMOSLLM_SHARDS: "4" })).toEqual({ index: 2, count: 4 });
  const slurm = { SLURM_ARRAY_TASK_ID: "7", SLURM_ARRAY_TASK_MIN: "5", SLURM_ARRAY_TASK_MAX: "9" };
  expect(workShard(undefined, slurm)).toEqual({ index: 2, count: 5 });
  expect(() => workShard("8/8")).toThrow("shard 8/8: the index counts from 0");
  expect(() => workShard("1:8")).toThrow("shard '1:8' is not of the form i/n");
  expect(() => workShard(undefined, { JOB_COMPLETION_INDEX: "2" })).toThrow("EMOSLLM_SHARDS");
  expect(() => workShard(undefined, { SLURM_ARRAY_TASK_ID: "x" })).toThrow("SLURM_ARRAY_TASK_ID='x'");
});

test("every kind that can be extracted can be cached, whole clips with their own times", async () => {
  const cache = join(root, "kinds");
  const features = FEATURE_KINDS.filter((kind) => kind !== "waveform").map((kind) => cacheableFeature(kind));
  const voiced = { id: "voice", audio: { path: join(root, "voice.wav") } };
  const samples = Float32Array.from(
    { length: 16000 },
    (_, i) => 0.2 * Math.sign(Math.sin(i / 20)) + 0.1 * Math.sin(i / 3),
  );
  writeFileSync(voiced.audio.path, encodeWav({ samples: [samples], sampleRate: 16000 }, { encoding: "float32" }));
  expect(await buildFeatures([voiced], { features, cache })).toMatchObject({ computed: 1, failed: 0 });
  for (const feature of features) {
    await using opened = await openFeatureCache(cache, feature);
    expect(opened.keys()).toEqual([audioKey(samples, 16000)]);
    const expected = await feature.compute(samples, 16000);
    const got = await opened.get(audioKey(samples, 16000));
    expect(got).toEqual({
      ...expected,
      startSeconds: expect.closeTo(expected.startSeconds, 6),
      hopSeconds: expect.closeTo(expected.hopSeconds, 6),
    });
  }
  expect(() => cacheableFeature("nope")).toThrow("feature 'nope' is not one of waveform");
  expect(() => cacheableFeature("f0", { nope: 1 })).toThrow("f0: f0 has no setting nope");
});
