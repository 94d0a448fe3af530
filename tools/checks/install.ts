/**
 * @file Installs the packed tarballs into empty projects, imports every export, starts every command and type-checks against the
 * published types with `skipLibCheck: false`, as a user's project would. Needs `npm run build` first.
 *
 *   npm run check:install                                     all in one project; pnpm lets each package see only what it lists
 *   npm run check:install -- --alone                          each in a project of its own, with npm
 *   npm run check:install -- --node 20,22,24,26 --typescript 5.9,7
 *   npm run check:install -- --only lora,graph
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packAll, PNPM, root, run, type Packed } from "./packed.ts";

const { values } = parseArgs({
  options: {
    alone: { type: "boolean", default: false },
    node: { type: "string" },
    typescript: { type: "string" },
    only: { type: "string" },
  },
});
const nodes = values.node?.split(",") ?? [];
const compilers = values.typescript?.split(",") ?? [];

const problems: string[] = [];
const fail = (what: string, text: string): void => void problems.push(`${what}\n${text.trim()}`);

/** Optional peers of an export that only they make importable. */
const PEERS: Readonly<Record<string, readonly string[]>> = {
  "@emosllm/runtime/tfjs": ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-cpu", "@tensorflow/tfjs-backend-wasm"],
  "@emosllm/runtime/web": ["onnxruntime-web"],
};

const specifiers = (p: Packed): string[] =>
  Object.keys(p.manifest.exports ?? {})
    .filter((e) => e !== "./package.json")
    .map((e) => `${p.manifest.name}${e.slice(1)}`);

/** `packages` and what they stand on within the workspace. */
function closure(packages: readonly Packed[], all: ReadonlyMap<string, Packed>): Packed[] {
  const found = new Map<string, Packed>();
  const visit = (p: Packed): void => {
    if (found.has(p.manifest.name)) return;
    found.set(p.manifest.name, p);
    for (const d of Object.keys(p.manifest.dependencies ?? {})) {
      const next = all.get(d);
      if (next) visit(next);
    }
  };
  packages.forEach(visit);
  return [...found.values()];
}

function versionOf(peer: string, packages: readonly Packed[]): string {
  for (const p of packages) {
    const version = p.manifest.peerDependencies?.[peer];
    if (version) return version;
  }
  throw new Error(`internal: ${peer} is no peer of a package`);
}

function makeProject(folder: string, packages: readonly Packed[], all: ReadonlyMap<string, Packed>): void {
  mkdirSync(folder, { recursive: true });
  const peers = new Set(packages.flatMap(specifiers).flatMap((s) => PEERS[s] ?? []));
  const inner = closure(packages, all);
  const file = (p: Packed): string => `file:${p.tarball.replaceAll("\\", "/")}`;
  const manifest = {
    name: "consumer",
    private: true,
    type: "module",
    dependencies: {
      ...Object.fromEntries((values.alone ? inner : packages).map((p) => [p.manifest.name, file(p)])),
      ...Object.fromEntries([...peers].map((peer) => [peer, versionOf(peer, packages)])),
    },
    devDependencies: { "@types/node": "^20.19.43" },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2));
  // Tarballs stand in for what the registry will serve. No scripts run: nothing here needs one.
  const overrides = inner.map((p) => `  "${p.manifest.name}": "${file(p)}"\n`).join("");
  writeFileSync(
    join(folder, "pnpm-workspace.yaml"),
    `overrides:\n${overrides}packages: ["."]\nignoreScripts: true\npmOnFail: ignore\nstrictDepBuilds: false\n`,
  );
  cpSync(join(root, ".npmrc"), join(folder, ".npmrc"));
  const install = values.alone
    ? run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], folder)
    : run("npx", [...PNPM, "install", "--prefer-offline", "--no-frozen-lockfile"], folder);
  if (!install.ok)
    throw new Error(`${packages.map((p) => p.manifest.name).join(", ")} cannot be installed\n${install.text}`);
}

/** Runs a file of `folder` on each Node that was asked for, else on this one. */
function onEachNode(what: string, folder: string, args: readonly string[]): void {
  if (nodes.length === 0) {
    const r = run(process.execPath, args, folder);
    if (!r.ok) fail(what, r.text);
  }
  for (const version of nodes) {
    const r = run("npx", ["--yes", "-p", `node@${version}`, "node", ...args], folder);
    if (!r.ok) fail(`${what} on Node ${version}`, r.text);
  }
}

function checkImports(p: Packed, folder: string): void {
  for (const specifier of specifiers(p)) {
    const file = `import-${specifier.replace(/[^a-z]+/g, "-")}.mjs`;
    const lines = [
      `import * as all from ${JSON.stringify(specifier)};`,
      `if (Object.keys(all).length === 0) throw new Error("nothing is exported");`,
    ];
    writeFileSync(join(folder, file), lines.join("\n"));
    onEachNode(`import ${specifier}`, folder, [file]);
  }
  for (const [command, target] of Object.entries(p.manifest.bin ?? {}))
    onEachNode(`${command} --version`, folder, [join("node_modules", p.manifest.name, target), "--version"]);
}

/** The types of TensorFlow.js do not compile under TypeScript 7 themselves: of exports with such peers only our own files are judged. */
function checkTypes(what: string, packages: readonly Packed[], folder: string): void {
  const names = packages.flatMap(specifiers);
  compile(
    what,
    names.filter((n) => !PEERS[n]),
    () => true,
    folder,
  );
  compile(
    `${what}, exports with peers`,
    names.filter((n) => PEERS[n]),
    (line) => !/^node_modules.(?!.*@emosllm)/.test(line),
    folder,
  );
}

function compile(what: string, names: readonly string[], counts: (line: string) => boolean, folder: string): void {
  if (names.length === 0) return;
  const lines = names.flatMap((s, i) => [
    `import * as m${i} from ${JSON.stringify(s)};`,
    `export type T${i} = typeof m${i};`,
  ]);
  writeFileSync(join(folder, "consumer.ts"), lines.join("\n"));
  const options = {
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  const judge = (title: string, result: { ok: boolean; text: string }): void => {
    const errors = result.text.split(/\r?\n/).filter((line) => / error TS/.test(line));
    const ours = errors.filter(counts);
    if (ours.length > 0 || (!result.ok && errors.length === 0)) fail(title, ours.join("\n") || result.text);
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["consumer.ts"] }));
  if (compilers.length === 0) {
    judge(`${what}: types`, run(join(root, "node_modules/.bin/tsc"), ["-p", ".", "--pretty", "false"], folder));
  }
  for (const version of compilers) {
    const command = ["--yes", "-p", `typescript@${version}`, "tsc", "-p", ".", "--pretty", "false"];
    judge(`${what}: types under TypeScript ${version}`, run("npx", command, folder));
  }
}

/** Two copies of the native runtime in one process would each bring their own thread pools and allocators. */
function checkOneRuntime(folder: string): void {
  const r = run("npx", [...PNPM, "ls", "onnxruntime-node", "--depth", "9", "--json"], folder);
  const versions = new Set([...r.text.matchAll(/onnxruntime-node@?[^\n]*?(\d+\.\d+\.\d+)/g)].map((m) => m[1]));
  if (versions.size > 1) fail("onnxruntime-node stands in several versions", [...versions].join(", "));
}

const out = mkdtempSync(join(tmpdir(), "emosllm-install-"));
try {
  const packed = packAll(out);
  const all = new Map(packed.map((p) => [p.manifest.name, p]));
  const wanted = values.only?.split(",").map((n) => {
    const found = all.get(`@emosllm/${n}`);
    if (!found)
      throw new RangeError(
        `--only: '${n}' is not a published package (${[...all.keys()].map((k) => k.slice(9)).join(", ")})`,
      );
    return found;
  });
  const chosen = wanted ?? packed;
  const groups = values.alone ? chosen.map((p) => [p]) : [chosen];
  for (const [i, group] of groups.entries()) {
    const folder = join(out, `project-${i}`);
    try {
      makeProject(folder, group, all);
      for (const p of group) checkImports(p, folder);
      checkTypes(values.alone ? group[0]!.manifest.name : "all packages", group, folder);
      if (!values.alone) checkOneRuntime(folder);
      if (values.alone) console.log(`${group[0]!.manifest.name}: installed alone, imported, type-checked`);
    } catch (error) {
      fail(group.map((p) => p.folder).join(", "), error instanceof Error ? error.message : String(error));
    }
    // What a package needs is on disk once per project: hundreds of MB with the native runtime.
    rmSync(folder, { recursive: true, force: true });
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? "packages install, import and type-check" : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
