/**
 * @file Checks that three lists agree for each package: what its sources import, what its package.json depends on and what
 * its tsconfig.json references; that imports point downwards in the design's order; and that what a package for pages imports of Node.js
 * is left out of a page by its `browser` field.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const root = process.env["EMOSLLM_ROOT"] ?? process.cwd();

/** Lower may not import higher. Packages on one level do not know each other. */
const LEVELS: readonly (readonly string[])[] = [
  ["interfaces", "graph", "eval-metrics"],
  ["checkpoints", "runtime", "datasets", "prompts", "report"],
  ["backbones", "projector"],
  ["audio-features", "generation", "lora"],
  ["model"],
  ["training"],
  ["serving"],
  ["trainer"],
];
const level = new Map(LEVELS.flatMap((names, i) => names.map((n) => [`@emosllm/${n}`, i] as const)));

interface Manifest {
  name: string;
  private?: boolean;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  browser?: Record<string, string | false>;
}

const readJson = <T>(file: string): T => JSON.parse(readFileSync(file, "utf8")) as T;

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name === "dist" || entry.name === "fixtures") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|tsx|mts)$/.test(entry.name)) yield path;
  }
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8").replace(/^\s*(\*|\/\/).*$/gm, "");
  const found = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^."'][^"']*)["']/g)].map((m) => m[1] ?? "");
  return found.map((s) => (s.startsWith("node:") ? s : packageOf(s)));
}

const packageOf = (s: string): string =>
  s.startsWith("@") ? s.split("/").slice(0, 2).join("/") : (s.split("/")[0] ?? s);

const problems: string[] = [];
for (const group of ["packages", "apps"]) {
  for (const name of existsSync(join(root, group)) ? readdirSync(join(root, group)) : []) {
    const folder = join(root, group, name);
    if (!existsSync(join(folder, "package.json"))) continue;
    const manifest = readJson<Manifest>(join(folder, "package.json"));
    const declared = new Set(
      Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies }),
    );
    const forTests = new Set([...declared, ...Object.keys(manifest.devDependencies ?? {}), manifest.name]);
    const where = relative(root, folder);
    const own = level.get(manifest.name);
    if (own === undefined) problems.push(`${where}: ${manifest.name} has no level in tools/checks/dependencies.ts`);

    const used = new Set<string>();
    const ofNode = new Set<string>();
    for (const file of sources(folder)) {
      const isTest = file.endsWith(".test.ts") || file.includes(`${name}/test/`) || file.endsWith("vitest.config.ts");
      for (const target of importsOf(file)) {
        if (target.startsWith("node:")) {
          if (!isTest) ofNode.add(target);
          continue;
        }
        if (isTest ? !forTests.has(target) : !declared.has(target) && target !== manifest.name)
          problems.push(`${relative(root, file)}: imports ${target}, which ${where}/package.json does not list`);
        if (!isTest) used.add(target);
        const other = level.get(target);
        if (!isTest && own !== undefined && other !== undefined && target !== manifest.name && other >= own)
          problems.push(`${relative(root, file)}: ${manifest.name} may not import ${target} (imports point downwards)`);
      }
    }
    for (const target of declared)
      if (!used.has(target)) problems.push(`${where}/package.json: lists ${target}, which no source imports`);

    if (manifest.browser) {
      const leftOut = Object.keys(manifest.browser).filter((key) => key.startsWith("node:"));
      for (const target of ofNode)
        if (!leftOut.includes(target)) problems.push(`${where}/package.json: browser does not leave out ${target}`);
      for (const target of leftOut)
        if (!ofNode.has(target))
          problems.push(`${where}/package.json: browser leaves out ${target}, which no source imports`);
    }

    const references = new Set(
      (readJson<{ references?: { path: string }[] }>(join(folder, "tsconfig.json")).references ?? []).map(
        (r) => readJson<Manifest>(join(folder, r.path, "package.json")).name,
      ),
    );
    const internal = [...declared].filter((d) => d.startsWith("@emosllm/"));
    for (const d of internal)
      if (!references.has(d)) problems.push(`${where}/tsconfig.json: no reference to ${d}, which package.json lists`);
    for (const r of references)
      if (!internal.includes(r))
        problems.push(`${where}/tsconfig.json: references ${r}, which package.json does not list`);

    const rootReferences = readJson<{ references: { path: string }[] }>(join(root, "tsconfig.json")).references;
    if (!rootReferences.some((r) => r.path === `${group}/${name}`))
      problems.push(`tsconfig.json: no reference to ${group}/${name}`);
  }
}
for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0 ? "dependencies, references and import directions agree" : `${problems.length} problems`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
