/** @file Packs each published package and checks the tarball with publint and attw (are the types wrong?). Needs `npm run build` first. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packAll, root, run } from "./packed.ts";

const out = mkdtempSync(join(tmpdir(), "emosllm-pack-"));
const bin = (name: string): string => join(root, "node_modules/.bin", name);

let failed = 0;
try {
  for (const { folder, manifest, tarball } of packAll(out)) {
    const cwd = join(root, folder);
    const checks: [string, ReturnType<typeof run>][] = [
      ["publint", run(bin("publint"), ["run", tarball, "--strict"], cwd)],
    ];
    // A package that is only a command has nothing to import.
    if (Object.keys(manifest.exports ?? {}).some((e) => e !== "./package.json"))
      checks.push(["attw", run(bin("attw"), [tarball, "--profile", "esm-only"], cwd)]);
    for (const [tool, result] of checks) {
      if (result.ok) continue;
      console.error(`${folder}: ${tool}\n${result.text}`);
      failed++;
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  failed++;
} finally {
  rmSync(out, { recursive: true, force: true });
}
console.log(failed === 0 ? "package exports are right" : `${failed} package checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
