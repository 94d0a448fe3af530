/** @file Packs each published workspace package as the registry would get it (`publishConfig` applied). Needs `npm run build` first. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";

export const root: string = process.env["EMOSLLM_ROOT"] ?? process.cwd();
export const PNPM: readonly string[] = ["--yes", "pnpm@12.21.0"];

export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
}

export interface Packed {
  /** Folder of the package below the root, for messages. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** Absolute path of the tarball. */
  readonly tarball: string;
}

export function run(command: string, args: readonly string[], cwd: string): { ok: boolean; text: string } {
  const r = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    shell: process.platform === "win32",
    env: { ...process.env, FORCE_COLOR: "0", ONNXRUNTIME_NODE_INSTALL: "skip" },
  });
  return { ok: r.status === 0, text: `${r.stdout}${r.stderr}${r.error ? r.error.message : ""}` };
}

/** The folders of all packages that are published, with their manifests. */
export function publishedPackages(): { folder: string; manifest: Manifest }[] {
  return ["packages", "apps"].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => `${group}/${name}`)
      .filter((folder) => existsSync(join(root, folder, "package.json")))
      .map((folder) => ({
        folder,
        manifest: JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest,
      }))
      .filter(({ manifest }) => !manifest.private),
  );
}

/** Packs all published packages into `out`. Throws with pnpm's own words when one cannot be packed. */
export function packAll(out: string): Packed[] {
  return publishedPackages().map(({ folder, manifest }) => {
    const before = new Set(readdirSync(out));
    const packed = run("npx", [...PNPM, "pack", "--pack-destination", out], join(root, folder));
    const made = readdirSync(out).find((f) => !before.has(f));
    if (!packed.ok || !made) throw new Error(`${folder}: pnpm pack failed\n${packed.text}`);
    // A name without a version, so that whoever installs it need not know which one this is.
    const tarball = join(out, `${manifest.name.replace("@", "").replace("/", "-")}.tgz`);
    renameSync(join(out, made), tarball);
    return { folder, manifest, tarball };
  });
}
