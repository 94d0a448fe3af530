/**
 * @file Builds the documentation into `docs/.vitepress/dist`: the pages of this folder, every package's README, and the API reference from
 * docstrings. A link that leads nowhere fails the build. `npm run docs`; DOCS_BASE says where the site will lie, DOCS_ONLY=pages leaves the reference out.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = process.env["EMOSLLM_ROOT"] ?? process.cwd();
const docs = join(root, "docs");

/** Runs a program of this folder's dependencies; ends the build when it fails. */
function run(script: string, args: readonly string[]): void {
  const { status } = spawnSync(process.execPath, [join(docs, "node_modules", script), ...args], {
    cwd: docs,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** Braces in a text are its own, not the site's templates. */
const plain = (text: string): string => `::: v-pre\n\n${text}\n:::\n`;

/** A README as a page: links to other packages lead to their pages, links to files of the repository become their paths. */
function page(folder: string, name: string): void {
  const source = join(root, folder, "README.md");
  const text = readFileSync(source, "utf8").replace(
    /(!?)\[([^\]]+)\]\((\.[^)\s]+)\)/g,
    (_, image: string, label: string, to: string) => {
      const target = relative(root, resolve(dirname(source), to.replace(/#.*/, ""))).replaceAll("\\", "/");
      const known = /^(?:packages|apps)\/([\w-]+)(?:\/README\.md)?$/.exec(target);
      if (image === "!" || !known) return `${label} (\`${target}\`)`;
      return `[${label}](/packages/${known[1]})`;
    },
  );
  writeFileSync(join(docs, "packages", `${name}.md`), plain(text));
}

rmSync(join(docs, "packages"), { recursive: true, force: true });
mkdirSync(join(docs, "packages"), { recursive: true });
const packages = readdirSync(join(root, "packages")).filter((n) =>
  existsSync(join(root, "packages", n, "package.json")),
);
for (const name of packages) page(`packages/${name}`, name);
for (const name of ["trainer", "serving"]) page(`apps/${name}`, name);

rmSync(join(docs, "api"), { recursive: true, force: true });
if (process.env["DOCS_ONLY"] === "pages") {
  mkdirSync(join(docs, "api"));
  writeFileSync(join(docs, "api/index.md"), "# API\n\nLeft out of this build (`DOCS_ONLY=pages`).\n");
} else {
  run("typedoc/bin/typedoc", ["--options", "typedoc.json"]);
  for (const file of readdirSync(join(docs, "api"), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".md")) continue;
    const path = join(docs, "api", file);
    writeFileSync(path, plain(readFileSync(path, "utf8")));
  }
}
run("vitepress/bin/vitepress.js", ["build", "."]);
