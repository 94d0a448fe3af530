/** @file Runs one command line: finds the sub-command, turns errors into one clear line and an exit code. */
import { EmosllmError } from "@emosllm/interfaces";
import { type CommandDef, defineCommand, renderUsage, runCommand } from "citty";
import { commands } from "./commands/index.ts";

const root: CommandDef = defineCommand({
  meta: {
    name: "emosllm",
    description: "Speech-emotion language models: corpora, features, training, evaluation, prediction.",
  },
  subCommands: commands,
});

const isUsageError = (error: unknown): boolean =>
  error instanceof Error && (error.name === "CLIError" || (error instanceof EmosllmError && error.code === "usage"));

/** Runs `argv` (without node and script) and returns the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const { command, parent, words } = await resolve(argv);
  if (argv.length === 0 || argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(`${await renderUsage(command, parent)}\n`);
    return 0;
  }
  try {
    // The command itself is run, not the root: citty gives back no result of a sub-command.
    const rest = argv.slice(words);
    await refuseUnknownOptions(command, rest);
    const { result } = await runCommand(command, { rawArgs: rest });
    return typeof result === "number" ? result : 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`error: ${message}\n`);
    if (process.env["EMOSLLM_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    if (!isUsageError(error)) return 1;
    process.stderr.write(
      `try: emosllm ${argv
        .filter((a) => /^[a-z]/.test(a))
        .slice(0, 1)
        .join(" ")} --help\n`,
    );
    return 2;
  }
}

/** Follows the words of `argv` down the table of sub-commands; `words` is how many of them name the command. */
async function resolve(argv: readonly string[]): Promise<{ command: CommandDef; parent?: CommandDef; words: number }> {
  let command = root;
  let parent: CommandDef | undefined;
  let words = 0;
  for (const word of argv) {
    const table = await unwrap(command.subCommands);
    const next = table && Object.hasOwn(table, word) ? table[word] : undefined;
    if (!next) break;
    parent = command;
    command = (await unwrap(next)) as CommandDef;
    words++;
  }
  return parent ? { command, parent, words } : { command, words };
}

const aliases = (arg: object): string[] => ("alias" in arg ? [arg.alias as string | string[]].flat() : []);

/** citty takes any option; a misspelt one must not be passed over in silence. */
async function refuseUnknownOptions(command: CommandDef, rest: readonly string[]): Promise<void> {
  const args = (await unwrap(command.args)) ?? {};
  if (Object.keys(args).length === 0) return;
  const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  const known = new Set(Object.entries(args).flatMap(([name, arg]) => [name, kebab(name), ...aliases(arg)]));
  const end = rest.indexOf("--");
  for (const word of end < 0 ? rest : rest.slice(0, end)) {
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (name === undefined || known.has(name) || known.has(name.replace(/^no-/, ""))) continue;
    const options = Object.entries(args).filter(([, a]) => a.type !== "positional");
    throw new EmosllmError("usage", `unknown option --${name}; there are ${options.map(([n]) => `--${n}`).join(", ")}`);
  }
}

async function unwrap<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
}
