/** Runs the command line in this process and keeps what it writes. */
import { runCli } from "../src/cli.ts";

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function run(...argv: string[]): Promise<Said> {
  const said = { out: "", err: "" };
  const [stdout, stderr] = [process.stdout.write, process.stderr.write];
  process.stdout.write = ((text: string | Uint8Array) => ((said.out += String(text)), true)) as typeof stdout;
  process.stderr.write = ((text: string | Uint8Array) => ((said.err += String(text)), true)) as typeof stderr;
  try {
    return { code: await runCli(argv), ...said };
  } finally {
    process.stdout.write = stdout;
    process.stderr.write = stderr;
  }
}
