/** @file Starts jobs of several ranks with the MPI launchers that this machine has. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

interface Launcher {
  readonly name: string;
  /** Commands by which it may be found, and what its `--version` says. */
  readonly commands: readonly string[];
  readonly version: RegExp;
  readonly flags: readonly string[];
}

const ALL: readonly Launcher[] = [
  {
    name: "Open MPI",
    commands: ["mpirun.openmpi", "mpirun"],
    version: /Open MPI/,
    flags: ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
  },
  { name: "MPICH", commands: ["mpiexec.mpich", "mpiexec.hydra", "mpiexec"], version: /HYDRA/, flags: [] },
];

/** What each launcher is called here; undefined when it is not installed. */
export const launchers: readonly (Launcher & { readonly command: string | undefined })[] = ALL.map((l) => ({
  ...l,
  command: l.commands.find((c) => {
    const { stdout, error } = spawnSync(c, ["--version"], { encoding: "utf8" });
    return !error && l.version.test(stdout);
  }),
}));

const tsx = new URL("dist/esm/index.mjs", pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json")))
  .href;

/** Node's arguments to run a TypeScript file of this repository. */
export const nodeArguments = (file: string, args: readonly string[]): string[] => [
  "--conditions=@emosllm/source",
  `--import=${tsx}`,
  file,
  ...args,
];

/** Runs `ranks` processes and gives what they printed. */
export function mpirun(
  { command, flags }: (typeof launchers)[number],
  ranks: number,
  file: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): { readonly code: number; readonly lines: readonly Record<string, unknown>[]; readonly output: string } {
  const { status, stdout, stderr, signal } = spawnSync(
    command as string,
    [...flags, "-n", String(ranks), process.execPath, ...nodeArguments(file, args)],
    { encoding: "utf8", timeout: 120_000, env: { ...process.env, ...env } },
  );
  const lines = stdout.split("\n").filter((l) => l.startsWith("{"));
  return {
    code: status ?? (signal ? 128 : 1),
    lines: lines.map((l) => JSON.parse(l) as Record<string, unknown>),
    output: stdout + stderr,
  };
}
