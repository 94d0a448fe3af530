/** What every command keeps: an example in --help, one line and exit code 2 for wrong usage with the nearest name, --json. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { CommandDef, SubCommandsDef } from "citty";
import { describe, expect, test } from "vitest";
import { EXAMPLES } from "../src/commands/_examples.ts";
import { findCommand, root, runCli } from "../src/cli.ts";
import { optionsOf, resolved } from "../src/completion/tree.ts";
import { nodeArguments } from "../../../packages/training/test/mpi-jobs.ts";
import { run } from "./run.ts";
import { repository } from "./tiny-run.ts";

async function* everyCommand(
  command: CommandDef,
  path: readonly string[],
): AsyncGenerator<[readonly string[], CommandDef]> {
  yield [path, command];
  const table = (await resolved(command.subCommands)) as SubCommandsDef | undefined;
  for (const [name, sub] of Object.entries(table ?? {}))
    yield* everyCommand((await resolved(sub)) as CommandDef, [...path, name]);
}
const all: [readonly string[], CommandDef][] = [];
for await (const entry of everyCommand(root, [])) all.push(entry);
const leaves = all.filter(([, command]) => command.subCommands === undefined);

/** Scripts for a shell are no JSON; a server has `--log json`. */
const WITHOUT_JSON: ReadonlySet<string> = new Set(["completion", "serve"]);

test.each(all.map(([path, command]) => [path.join(" "), command] as const))(
  "emosllm %s --help: what it does, and examples of options that it has",
  async (name, command) => {
    const path = name === "" ? [] : name.split(" ");
    const { code, out, err } = await run(...path, "--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(((await resolved(command.meta)) as { description: string }).description);
    expect(out).toMatch(/EXAMPLES\n\n {2}emosllm /);
    // eslint-disable-next-line no-control-regex -- colours must not get into pipes
    expect(out).not.toMatch(/\u001b/);
    for (const example of EXAMPLES[name] ?? []) {
      const words = example.split("emosllm ").at(-1)!.split(" ");
      const found = await findCommand(words);
      const known = new Set((await optionsOf(found.command)).map((o) => o.name.slice(2)));
      for (const word of words) {
        const option = /^--(?:no-)?([a-z-]+)/.exec(word)?.[1];
        if (option) expect([...known], `${example}: --${option}`).toContain(option);
      }
    }
  },
);

test("no example of a command that is gone", () => {
  const names = new Set(all.map(([path]) => path.join(" ")));
  expect(Object.keys(EXAMPLES).filter((name) => !names.has(name))).toEqual([]);
});

describe.each(leaves.map(([path, command]) => [path.join(" "), command] as const))("emosllm %s", (name, command) => {
  test("a misspelt option: exit code 2, the nearest one", async () => {
    const options = await optionsOf(command);
    const longest = options.map((o) => o.name.slice(2)).sort((a, b) => b.length - a.length)[0];
    if (longest === undefined) return;
    const wrong = `${longest}x`;
    const { code, out, err } = await run(...name.split(" "), `--${wrong}`);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(`unknown option --${wrong}; did you mean --${longest}?`);
  });
  test("has --json", async () => {
    if (WITHOUT_JSON.has(name)) return;
    expect((await optionsOf(command)).map((o) => o.name)).toContain("--json");
  });
});

test("a misspelt command: exit code 2, the nearest one", async () => {
  const { code, err } = await run("preditc");
  expect(code).toBe(2);
  expect(err).toMatch(/no command 'preditc'; did you mean predict\?/);
  expect((await run("corpus", "audti", "x")).err).toMatch(
    /emosllm corpus has no command 'audti'; did you mean audit\?/,
  );
  expect((await run("corpus")).code).toBe(2);
});

test("without words: the help; --version: the version", async () => {
  expect((await run()).out).toContain("predict");
  expect((await run("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("json lines: every line of --json parses", async () => {
  for (const argv of [
    ["corpus", "list"],
    ["prompts", "list"],
  ]) {
    const { code, out } = await run(...argv, "--json");
    expect(code).toBe(0);
    const lines = out.trim().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(typeof JSON.parse(line)).toBe("object");
  }
});

test("the exit code of the whole is a number", async () => expect(await runCli(["--version"])).toBe(0));

test.skipIf(process.platform === "win32")("a reader that leaves ends a listing quietly", () => {
  const argv = [process.execPath, ...nodeArguments(join(repository, "apps/trainer/src/main.ts"), ["corpus", "list"])];
  // `true` is gone before the first line is written.
  const script = '"$@" | true; exit ${PIPESTATUS[0]}';
  const { status, stderr } = spawnSync("bash", ["-c", script, "bash", ...argv], { encoding: "utf8", cwd: repository });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
