#!/usr/bin/env node
/** @file The `emosllm` command: a table of sub-commands, one file each in `commands/`. Exit codes: 0 done, 1 failed, 2 wrong usage. */
import { runCli } from "./cli.ts";

/** A reader that has what it wants (`| head`) is no failure. */
function whenReaderLeaves(stream: NodeJS.WriteStream, then: () => void): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    then();
  });
}
whenReaderLeaves(process.stdout, () => process.exit(0));
// Progress that nobody watches any more: the work goes on.
whenReaderLeaves(process.stderr, () => undefined);

process.exitCode = await runCli(process.argv.slice(2));
