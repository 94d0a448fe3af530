import { existsSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder } from "../src/make-folder.ts";

test("folders above are made too, ones that are there stay, and several may make the same", async () => {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-folder-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const deep = join(folder, "a/b/c");
  const made = await Promise.all([makeFolder(deep), makeFolder(deep), makeFolder(deep)]);
  expect(made).toContain(join(folder, "a"));
  expect((await stat(deep)).isDirectory()).toBe(true);
  expect(await makeFolder(deep)).toBeUndefined();
  await writeFile(join(folder, "file"), "");
  await expect(makeFolder(join(folder, "file"))).rejects.toThrow(/EEXIST/);
  await expect(makeFolder(join(folder, "file/below"))).rejects.toThrow(/ENOTDIR/);
});

test.skipIf(!existsSync("/proc/self"))(
  "a file system that makes no folders is an error, not an endless loop",
  async () => {
    await expect(makeFolder("/proc/emosllm/run")).rejects.toThrow(/ENOENT|EACCES|EPERM/);
  },
);
