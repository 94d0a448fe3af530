#!/usr/bin/env node
/** @file The `emosllm` command: a table of sub-commands, one file each in `commands/`. Exit codes: 0 done, 1 failed, 2 wrong usage. */
import { runCli } from "./cli.ts";

process.exitCode = await runCli(process.argv.slice(2));
