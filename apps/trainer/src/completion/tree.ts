/** @file The commands with their options as plain data. */
import type { ArgsDef, CommandDef, SubCommandsDef } from "citty";

/** An option as it is typed. */
export interface OptionEntry {
  /** `--batch-size` */
  readonly name: string;
  readonly takesValue: boolean;
  readonly about: string;
}

/** A command. */
export interface CommandEntry {
  /** `corpus audit`; empty for the root. */
  readonly path: string;
  readonly about: string;
  readonly options: readonly OptionEntry[];
  /** Names of the commands below. */
  readonly commands: readonly { name: string; about: string }[];
}

/** Every command, the root first. */
export async function commandTree(command: CommandDef, path: readonly string[] = []): Promise<CommandEntry[]> {
  const table = ((await resolved(command.subCommands)) ?? {}) as SubCommandsDef;
  const below: CommandEntry[] = [];
  const commands: { name: string; about: string }[] = [];
  for (const [name, sub] of Object.entries(table)) {
    const entries = await commandTree((await resolved(sub)) as CommandDef, [...path, name]);
    commands.push({ name, about: entries[0]?.about ?? "" });
    below.push(...entries);
  }
  const meta = (await resolved(command.meta)) as { description?: string } | undefined;
  return [
    { path: path.join(" "), about: meta?.description ?? "", options: await optionsOf(command), commands },
    ...below,
  ];
}

/** The options of a command, positional arguments left out. */
export async function optionsOf(command: CommandDef): Promise<OptionEntry[]> {
  const args = ((await resolved(command.args)) ?? {}) as ArgsDef;
  return Object.entries(args)
    .filter(([, arg]) => arg.type !== "positional")
    .map(([name, arg]) => ({
      name: `--${kebab(name)}`,
      takesValue: arg.type !== "boolean",
      about: arg.description ?? "",
    }));
}

/** `batchSize` as it is typed: `batch-size`. */
export const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** citty's values may be given by a function or a promise. */
export const resolved = async <T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> =>
  typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
