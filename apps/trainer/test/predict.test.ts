import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav } from "@emosllm/audio-features";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { timelineHtml, timelineSvg } from "../src/timeline/figure.ts";
import { run, type Said } from "./run.ts";
import { repository, tinyRun } from "./tiny-run.ts";

let folder: string;
let bundle: string;
let corpus: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-predict-"));
  ({ bundle, corpus } = await tinyRun(folder));
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const predict = (...argv: string[]): Promise<Said> => run("predict", "--bundle", bundle, ...argv);
const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Bursts of a buzz of `hz` with pauses, which the detector takes for speech. */
const bursts = (seconds: number, hz = 150): Float32Array =>
  Float32Array.from({ length: seconds * 16_000 }, (_, i) => {
    const t = i / 16_000;
    const voice = t % 4 < 2.5 ? Math.sin(2 * Math.PI * hz * t) + 0.5 * Math.sin(4 * Math.PI * hz * t) : 0;
    return 0.2 * voice * (0.6 + 0.4 * Math.sin(2 * Math.PI * 4 * t)) + 0.0005 * Math.sin(i * i);
  });
async function wav(name: string, samples: Float32Array): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, encodeWav({ samples: [samples], sampleRate: 16_000 }));
  return file;
}

describe("inputs", () => {
  test("a folder, a JSONL and a CSV manifest, a corpus and single files give the same answers", async () => {
    const sounds = join(folder, "sounds");
    await mkdir(join(sounds, "deep"), { recursive: true });
    const a = await wav("sounds/a.wav", bursts(1.5));
    const b = await wav("sounds/deep/b.wav", bursts(2, 220));
    await writeFile(join(sounds, "notes.txt"), "no sound");
    await writeFile(join(sounds, "._a.wav"), "AppleDouble");
    const singles = lines((await predict("--json", a, b)).out);
    const drop = (rows: Record<string, unknown>[]) => rows.map(({ probabilities }) => probabilities);
    const inFolder = lines((await predict("--json", sounds)).out);
    expect(inFolder.map((r) => r["file"])).toEqual([a, b]);
    expect(drop(inFolder)).toEqual(drop(singles));
    await writeFile(
      join(folder, "m.jsonl"),
      `${[a, b].map((audio, i) => JSON.stringify({ id: `u${i}`, audio })).join("\n")}\n`,
    );
    await writeFile(join(folder, "m.csv"), `id,audio\nu0,${a}\nu1,${b}\n`);
    for (const manifest of ["m.jsonl", "m.csv"]) {
      const rows = lines((await predict("--json", join(folder, manifest))).out);
      expect(rows.map((r) => r["id"])).toEqual(["u0", "u1"]);
      expect(drop(rows)).toEqual(drop(singles));
    }
    const all = lines((await predict("--json", corpus)).out);
    expect(all).toHaveLength(40);
  });

  test("the batch size changes no answer", async () => {
    const of = async (n: number) => lines((await predict("--json", corpus, `--batch-size=${n}`)).out);
    const [one, many] = [await of(1), await of(64)];
    one.forEach((row, i) => {
      for (const [label, p] of Object.entries(row["probabilities"] as Record<string, number>))
        // sums in another order: f32
        expect((many[i]!["probabilities"] as Record<string, number>)[label]).toBeCloseTo(p, 5);
    });
  });

  test("damaged files in the middle: one line each on stderr, the rest goes on, exit code 1", async () => {
    const good = await wav("good.wav", bursts(1.2));
    const silent = await wav("silent.wav", new Float32Array(16_000));
    await writeFile(join(folder, "bad.wav"), "RIFFnot");
    const { code, out, err } = await predict(
      "--json",
      good,
      join(folder, "bad.wav"),
      silent,
      join(folder, "none.wav"),
      good,
    );
    expect(code).toBe(1);
    expect(lines(out).map((r) => r["file"])).toEqual([good, good]);
    const said = err.trim().split("\n");
    expect(said).toHaveLength(3);
    expect(said[0]).toMatch(/bad\.wav/);
    expect(said[1]).toMatch(/silent\.wav: silent/);
    expect(said[2]).toMatch(/none\.wav: no such file/);
  });

  test("--out and --format: the same answers as JSON lines and as CSV, whole or not at all", async () => {
    const [a, b] = [await wav("one, a.wav", bursts(1.5)), await wav("two.wav", bursts(2, 220))];
    const [out, table] = [join(folder, "answers.jsonl"), join(folder, "answers.csv")];
    const plain = await predict("--json", a, b);
    expect(await predict("--out", out, a, b)).toEqual({ code: 0, out: "", err: "" });
    expect(await readFile(out, "utf8")).toBe(plain.out);
    expect((await predict("--out", table, "--format", "csv", a, b)).code).toBe(0);
    const [head, first] = (await readFile(table, "utf8")).split("\n");
    const [answer] = lines(plain.out) as [
      { label: string; reliability: number; probabilities: Record<string, number> },
    ];
    expect(head).toBe(`file,id,label,reliability,seconds,${Object.keys(answer.probabilities).join(",")}`);
    expect(first).toBe(
      `"${a}",,${answer.label},${answer.reliability},1.5,${Object.values(answer.probabilities).join(",")}`,
    );
    const nowhere = await predict("--out", join(folder, "none/x.jsonl"), a);
    expect([nowhere.code, nowhere.err]).toEqual([1, expect.stringMatching(/none\/x\.jsonl cannot be written/)]);
    const words = await predict("--task", "transcribe", "--format", "csv", a);
    expect([words.code, words.err]).toEqual([2, expect.stringMatching(/--format csv is of emotions/)]);
    expect((await predict("--format", "rttm", a)).err).toMatch(/--format rttm: expected one of text, jsonl, csv/);
  });

  test("a list of paths", async () => {
    const good = await wav("listed one.wav", bursts(1.2));
    await writeFile(join(folder, "list.txt"), `${good}\n\n${good}\n`);
    expect(lines((await predict("--json", "--list", join(folder, "list.txt"))).out)).toHaveLength(2);
    expect((await predict("--list", join(folder, "no-list.txt"))).code).toBe(2);
  });

  test("sound and paths on stdin, as a process of its own", async () => {
    const good = await wav("good.wav", bursts(1.2));
    const [direct] = lines((await predict("--json", good)).out);
    const child = (input: Buffer | string, ...argv: string[]) =>
      spawnSync(
        "node",
        ["tools/setup/run.mjs", "apps/trainer/src/main.ts", "predict", "--bundle", bundle, "--json", ...argv],
        { cwd: repository, input },
      );
    const sound = child(await readFile(good), "-");
    expect(JSON.parse(String(sound.stdout))).toEqual({ ...direct, file: "stdin" });
    const list = child(`${good}\n`, "--list", "-");
    expect(JSON.parse(String(list.stdout))).toEqual(direct);
  });

  test("wrong usage", async () => {
    for (const argv of [
      [],
      ["-", "-"],
      ["a.wav", "b.wav", "--transcript", "x"],
      ["a.wav", "--timeline", "--format", "xml"],
      ["a.wav", "--batch-size", "0"],
    ])
      expect((await predict(...argv)).code, argv.join(" ")).toBe(2);
    const { code, err } = await predict(join(folder, "empty-folder"));
    expect({ code, lines: err.trim().split("\n").length }).toEqual({ code: 1, lines: 1 });
  });
});

describe("timeline", () => {
  test("JSONL, CSV and RTTM say the same; --out writes the same file", async () => {
    const file = await wav("long.wav", bursts(14));
    const json = lines((await predict("--timeline", file)).out);
    expect(json.length).toBeGreaterThanOrEqual(4);
    json.forEach((s, i) => {
      const [start, end] = [s["start"] as number, s["end"] as number];
      expect(Math.abs(start - 4 * i)).toBeLessThan(0.2);
      expect(Math.abs(end - Math.min(14, 4 * i + 2.5))).toBeLessThan(0.25);
    });
    const [head, ...rows] = (await predict("--timeline", "--format", "csv", file)).out.trim().split("\n");
    expect(head).toBe("file,start,end,label,angry,happy,sad,neutral");
    expect(rows.map((r) => r.split(",").slice(1, 4))).toEqual(
      json.map((s) => [(s["start"] as number).toFixed(3), (s["end"] as number).toFixed(3), s["label"]]),
    );
    const rttm = (await predict("--timeline", "--format", "rttm", file)).out.trim().split("\n");
    rttm.forEach((line, i) => {
      const fields = line.split(" ");
      expect(fields).toHaveLength(10);
      expect(fields[0]).toBe("SPEAKER");
      expect(fields[7]).toBe(json[i]!["label"]);
      expect(Number(fields[3]) + Number(fields[4])).toBeCloseTo(json[i]!["end"] as number, 2);
    });
    const out = join(folder, "segments.jsonl");
    expect((await predict("--timeline", file, "--out", out)).code).toBe(0);
    expect(lines(await readFile(out, "utf8"))).toEqual(json);
    expect((await predict("--timeline", file, "--out", join(folder, "no", "where.csv"))).err).toMatch(
      /cannot be written/,
    );
  });

  test("figures", async () => {
    const file = await wav("long.wav", bursts(14));
    const svg = (await predict("--timeline", "--format", "svg", file)).out;
    expect(svg).toMatch(/^<svg /);
    expect(svg.match(/<title>/g)!.length).toBeGreaterThanOrEqual(4);
    const html = (await predict("--timeline", "--format", "html", file, file)).out;
    expect(html.match(/<svg /g)).toHaveLength(2);
    expect((await predict("--timeline", "--format", "svg", file, file)).code).toBe(2);
  });

  test("names are escaped, and a recording without speech is drawn too", () => {
    const data = { title: `<b>&"x"`, labels: ["a<b"], segments: [], duration: 0 };
    expect(timelineSvg(data)).toContain("&lt;b&gt;&amp;&quot;x&quot;");
    expect(timelineHtml([data])).not.toMatch(/<b>/);
  });

  test("an hour in flat memory", async () => {
    // By default one burst in a minute, so that finding speech is what takes the time; in the full run ten hours of dense speech.
    const full = Boolean(process.env["EMOSLLM_FULL"]);
    const [hour, perMinute] = full ? [10, 15] : [1, 1];
    const quiet = bursts(60).map((v, i) => (full || i < 16_000 * 4 ? v : v * 0.001));
    const file = join(folder, "hour.wav");
    const minute = Buffer.from(encodeWav({ samples: [quiet], sampleRate: 16_000 })).subarray(44);
    const header = Buffer.from(encodeWav({ samples: [bursts(1)], sampleRate: 16_000 })).subarray(0, 44);
    header.writeUInt32LE(Math.min(0xffffffff, 36 + minute.length * 60 * hour), 4);
    header.writeUInt32LE(minute.length * 60 * hour, 40);
    const handle = await open(file, "w");
    await handle.write(header);
    for (let m = 0; m < 60 * hour; m++) await handle.write(minute);
    await handle.close();
    // Long windows far apart: the number of passes is not what is tested.
    const argv = [
      "tools/setup/run.mjs",
      "apps/trainer/test/peak-rss.ts",
      "predict",
      "--bundle",
      bundle,
      "--timeline",
      "--window",
      "1",
      "--hop",
      "1",
    ];
    const measure = (input: string): { rss: number; out: string } => {
      const done = spawnSync("node", [...argv, input], { cwd: repository, encoding: "utf8", maxBuffer: 1e9 });
      expect(done.status, done.stderr).toBe(0);
      return { rss: Number(/peak rss (\d+) MiB/.exec(done.stderr)![1]), out: done.stdout };
    };
    const short = measure(await wav("minutes.wav", bursts(120)));
    const long = measure(file);
    expect(lines(long.out).length).toBeGreaterThanOrEqual(perMinute * 60 * hour);
    expect((lines(long.out).at(-1) as { end: number }).end).toBeGreaterThan(3600 * hour - 60);
    // The hour's samples alone are 220 MiB as floats.
    expect(long.rss - short.rss, `${short.rss} MiB for 2 min, ${long.rss} MiB for ${hour} h`).toBeLessThan(100);
  }, 600_000);
});
