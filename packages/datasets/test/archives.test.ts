import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { collect, iemocap, openCorpusFiles, readClipBytes } from "../src/index.ts";
import { writeIemocap } from "../src/testing/index.ts";
import { tempFolder } from "./temp.ts";

const folder = tempFolder();
const long = `${"a-long-folder-name/".repeat(9)}ein-langer-Name-mit-Ümlaut.txt`;
mkdirSync(join(folder, "t", long, ".."), { recursive: true });
writeFileSync(join(folder, "t", long), "far down");
writeFileSync(join(folder, "t/empty.txt"), "");
writeFileSync(join(folder, "t/exact.txt"), "x".repeat(512));

// What tar programs write: old GNU names, POSIX (pax) headers, plain ustar.
describe.each(["gnu", "pax", "ustar"])("tar format %s", (format) => {
  test.each(["tar", "tar.gz"])("as .%s", async (ending) => {
    const path = join(folder, `${format}.${ending}`);
    const names = format === "ustar" ? ["t/empty.txt", "t/exact.txt"] : ["t"];
    execFileSync("tar", [ending === "tar" ? "-cf" : "-czf", path, `--format=${format}`, "-C", folder, ...names]);
    const files = await openCorpusFiles(path);
    expect(Buffer.from(await files.read("t/exact.txt")).toString()).toBe("x".repeat(512));
    expect((await files.read("t/empty.txt")).length).toBe(0);
    expect((await files.list("t")).map((e) => e.name)).toContain("empty.txt");
    expect((await readClipBytes(files.clip("t/exact.txt"))).length).toBe(512);
    if (format !== "ustar") expect(Buffer.from(await files.read(`t/${long}`)).toString()).toBe("far down");
  });
});

describe("broken archives are refused with their name and the place", () => {
  const root = join(folder, "ie");
  writeIemocap(root, { sessions: 2, quirks: false });
  test.each(["tar", "tar.gz"])(".%s cut short", async (ending) => {
    const path = join(folder, `cut.${ending}`);
    execFileSync("tar", [ending === "tar" ? "-cf" : "-czf", path, "-C", folder, "ie"]);
    truncateSync(path, Math.floor(readFileSync(path).length / 2) + 300);
    await expect(collect(iemocap(path))).rejects.toThrow(new RegExp(`cut\\.${ending}: .*(cut short|unexpected end)`));
  });
  test.each(["tar", "tar.gz", "tgz"])(".%s that is something else", async (ending) => {
    const path = join(folder, `other.${ending}`);
    writeFileSync(path, "this is no archive ".repeat(100));
    await expect(collect(iemocap(path))).rejects.toThrow(/other\..*: broken (tar archive|gzip stream)/);
  });
  test("a file that is no archive at all", async () => {
    writeFileSync(join(folder, "x.zip"), "PK");
    await expect(collect(iemocap(join(folder, "x.zip")))).rejects.toThrow(/x\.zip: neither a folder nor a \.tar/);
  });
});
