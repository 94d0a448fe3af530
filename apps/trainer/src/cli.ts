/** @file Runs one command line: finds the sub-command, turns errors into one clear line and an exit code. */
import { readFile } from "node:fs/promises";
import { stripVTControlCharacters } from "node:util";
import { EmosllmError } from "@emosllm/interfaces";
import { type ArgsDef, type CommandDef, defineCommand, renderUsage, runCommand } from "citty";
import { kebab, optionsOf, resolved } from "./completion/tree.ts";
import { EXAMPLES } from "./commands/_examples.ts";
import { commands } from "./commands/index.ts";

/** The command that holds all others. */
export const root: CommandDef = defineCommand({
  meta: {
    name: "emosllm",
    description: "Speech-emotion language models: corpora, features, training, evaluation, prediction.",
  },
  subCommands: commands,
});

const isUsageError = (error: unknown): boolean =>
  error instanceof Error && (error.name === "CLIError" || (error instanceof EmosllmError && error.code === "usage"));

/** Runs `argv` (without node and script) and returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const { command, path } = await findCommand(argv);
  const rest = argv.slice(path.length);
  if (argv.length === 0 || asksForHelp(rest)) {
    process.stdout.write(coloured(await helpText(command, path)));
    return 0;
  }
  if (path.length === 0 && rest[0] === "--version") {
    process.stdout.write(`${await version()}\n`);
    return 0;
  }
  try {
    // The command itself is run, not the root: citty gives back no result of a sub-command.
    await refuseUnknownWord(command, path, rest);
    await refuseUnknownOptions(command, rest);
    const { result } = await runCommand(command, { rawArgs: [...rest] });
    return typeof result === "number" ? result : 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`error: ${stripVTControlCharacters(message)}\n`);
    if (process.env["EMOSLLM_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    if (error instanceof EmosllmError && error.code === "interrupted") return 130;
    if (!isUsageError(error)) return 1;
    process.stderr.write(`try: ${["emosllm", ...path].join(" ")} --help\n`);
    return 2;
  }
}

/** What follows `--` belongs to the command. */
const options = (words: readonly string[]): readonly string[] =>
  words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
const asksForHelp = (words: readonly string[]): boolean =>
  options(words).some((word) => word === "--help" || word === "-h");

/** citty colours whatever reads it; a pipe, a build server and people who say so get plain text. */
function coloured(text: string): string {
  const plain = process.env["NO_COLOR"] || process.env["CI"] || process.stdout.isTTY !== true;
  return `${plain ? stripVTControlCharacters(text) : text}\n`;
}

/** The page of `--help`: citty's, and examples. `path` is the words of the command. */
export async function helpText(command: CommandDef, path: readonly string[]): Promise<string> {
  const parent = defineCommand({ meta: { name: ["emosllm", ...path.slice(0, -1)].join(" ") } });
  const usage = await renderUsage(command, path.length > 0 ? parent : undefined);
  const examples = EXAMPLES[path.join(" ")] ?? [];
  if (examples.length === 0) return usage;
  return `${usage.trimEnd()}\n\nEXAMPLES\n\n${examples.map((e) => `  emosllm ${e}`).join("\n")}`;
}

/** Follows the words of `argv` down the table of sub-commands; `path` is the words that name the command. */
export async function findCommand(argv: readonly string[]): Promise<{ command: CommandDef; path: readonly string[] }> {
  let command = root;
  const path: string[] = [];
  for (const word of argv) {
    const table = await resolved(command.subCommands);
    const next = table && Object.hasOwn(table, word) ? table[word] : undefined;
    if (!next) break;
    command = (await resolved(next)) as CommandDef;
    path.push(word);
  }
  return { command, path };
}

async function version(): Promise<string> {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(await readFile(file, "utf8")) as { version: string }).version;
}

const aliases = (arg: object): string[] => ("alias" in arg ? [arg.alias as string | string[]].flat() : []);

async function didYouMean(word: string, known: readonly string[], prefix = ""): Promise<string> {
  const { nearestName } = await import("./training/nearest-name.ts");
  const near = nearestName(word, known);
  return near === undefined ? "" : `; did you mean ${prefix}${near}?`;
}

/** A word where a sub-command is wanted. */
async function refuseUnknownWord(command: CommandDef, path: readonly string[], rest: readonly string[]): Promise<void> {
  const table = await resolved(command.subCommands);
  if (!table) return;
  const known = Object.keys(table);
  const list = `there are ${known.join(", ")}`;
  const word = rest.find((w) => !w.startsWith("-"));
  const name = ["emosllm", ...path].join(" ");
  if (word === undefined) throw new EmosllmError("usage", `${name} needs a command; ${list}`);
  throw new EmosllmError("usage", `${name} has no command '${word}'${await didYouMean(word, known)}; ${list}`);
}

/** citty takes any option; a misspelt one must not be passed over in silence. */
async function refuseUnknownOptions(command: CommandDef, rest: readonly string[]): Promise<void> {
  const args = ((await resolved(command.args)) ?? {}) as ArgsDef;
  const known = new Set(Object.entries(args).flatMap(([name, arg]) => [name, kebab(name), ...aliases(arg)]));
  for (const word of options(rest)) {
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (name === undefined || known.has(name) || known.has(name.replace(/^no-/, ""))) continue;
    const names = (await optionsOf(command)).map((o) => o.name.slice(2));
    const hint = await didYouMean(name, names, "--");
    const list = names.length === 0 ? "this command has none" : `there are ${names.map((n) => `--${n}`).join(", ")}`;
    throw new EmosllmError("usage", `unknown option --${name}${hint}; ${list}`);
  }
}
