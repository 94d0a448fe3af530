/**
 * @file Writes the repository that a release is built in into every published package.json, as provenance needs it: taken from the workflow's
 * GITHUB_SERVER_URL and GITHUB_REPOSITORY, so that a fork names itself. Only release.yml runs it; the change is not committed.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { publishedPackages, root } from "../checks/packed.ts";

const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env;
if (!server || !name || !/^[\w.-]+\/[\w.-]+$/.test(name)) {
  console.error(`GITHUB_SERVER_URL and GITHUB_REPOSITORY (OWNER/NAME) must be set; they are '${server}' and '${name}'`);
  process.exitCode = 1;
} else
  for (const { folder } of publishedPackages()) {
    const file = join(root, folder, "package.json");
    const manifest = JSON.parse(readFileSync(file, "utf8")) as object;
    const repository = { type: "git", url: `git+${server}/${name}.git`, directory: folder };
    writeFileSync(`${file}.tmp`, `${JSON.stringify({ ...manifest, repository }, undefined, 2)}\n`);
    renameSync(`${file}.tmp`, file);
    console.log(`${folder}: ${repository.url}`);
  }
