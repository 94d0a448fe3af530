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
  const [command, parent] = await resolve(argv);
  if (argv.length === 0 || argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(`${await renderUsage(command, parent)}\n`);
    return 0;
  }
  try {
    const { result } = await runCommand(root, { rawArgs: [...argv] });
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

/** Follows the words of `argv` down the table of sub-commands, for `--help`. */
async function resolve(argv: readonly string[]): Promise<[CommandDef, CommandDef | undefined]> {
  let command = root;
  let parent: CommandDef | undefined;
  for (const word of argv) {
    const table = await unwrap(command.subCommands);
    const next = table?.[word];
    if (!next) break;
    parent = command;
    command = (await unwrap(next)) as CommandDef;
  }
  return [command, parent];
}

async function unwrap<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
}
