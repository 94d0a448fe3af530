/** @file Packs each published package and checks the tarball with publint and attw (are the types wrong?). Needs `npm run build` first. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = process.env["EMOSLLM_ROOT"] ?? process.cwd();
const out = mkdtempSync(join(tmpdir(), "emosllm-pack-"));
const run = (command: string, args: string[], cwd: string): { ok: boolean; text: string } => {
  const r = spawnSync(command, args, { cwd, encoding: "utf8", env: { ...process.env, FORCE_COLOR: "0" } });
  return { ok: r.status === 0, text: `${r.stdout}${r.stderr}` };
};
const bin = (name: string): string => join(root, "node_modules/.bin", name);

let failed = 0;
for (const name of readdirSync(join(root, "packages"))) {
  const folder = join(root, "packages", name);
  const manifestFile = join(folder, "package.json");
  if (!existsSync(manifestFile)) continue;
  const manifest = JSON.parse(readFileSync(manifestFile, "utf8")) as { private?: boolean };
  if (manifest.private) continue;
  const before = new Set(readdirSync(out));
  const packed = run("npx", ["--yes", "pnpm@12.21.0", "pack", "--pack-destination", out], folder);
  const tarball = readdirSync(out).find((f) => !before.has(f));
  if (!packed.ok || !tarball) {
    console.error(`${name}: pnpm pack failed\n${packed.text}`);
    failed++;
    continue;
  }
  const file = join(out, tarball);
  const lint = run(bin("publint"), ["run", file, "--strict"], folder);
  const types = run(bin("attw"), [file, "--profile", "esm-only"], folder);
  for (const [tool, result] of [
    ["publint", lint],
    ["attw", types],
  ] as const) {
    if (result.ok) continue;
    console.error(`${name}: ${tool}\n${result.text}`);
    failed++;
  }
}
rmSync(out, { recursive: true, force: true });
console.log(failed === 0 ? "package exports are right" : `${failed} package checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
