/** @file `emosllm features size | verify | prune`: looking after a feature cache. */
import { cacheSizes, pruneCache, verifyCache } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import type { AnyCommand } from "./_command.ts";

const CACHE_ARG = { type: "positional", required: true, description: "the cache's folder" } as const;
const JSON_ARG = { type: "boolean", default: false, description: "print one JSON object per line" } as const;

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

function bytesArg(name: string, value: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(value);
  if (!match) throw new EmosllmError("usage", `--${name} ${value}: expected bytes, e.g. 500000, 64K, 10M or 2.5G`);
  return Number(match[1]) * UNITS[match[2]!]!;
}

function numberArg(name: string, value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !(number >= 0))
    throw new EmosllmError("usage", `--${name} ${value}: expected a number from 0`);
  return number;
}

/** `emosllm features size`. */
export const size: AnyCommand = defineCommand({
  meta: { name: "size", description: "How much each feature of a cache takes." },
  args: { cache: CACHE_ARG, json: JSON_ARG },
  async run({ args }) {
    const sizes = await cacheSizes(args.cache);
    for (const row of sizes)
      process.stdout.write(
        args.json
          ? `${JSON.stringify(row)}\n`
          : `${row.feature}  ${row.clips} clips, ${row.shards} shards, ${row.loose} not packed, ${mebibytes(row.bytes)}` +
              `${row.temporaryBytes > 0 ? `, of it ${mebibytes(row.temporaryBytes)} temporary` : ""}\n`,
      );
    if (!args.json) process.stdout.write(`${mebibytes(sizes.reduce((sum, { bytes }) => sum + bytes, 0))} in all\n`);
  },
});

/** `emosllm features verify`. */
export const verify: AnyCommand = defineCommand({
  meta: {
    name: "verify",
    description: "Reads every byte of a cache and compares hashes. Exit code 1 when something is damaged.",
  },
  args: {
    cache: CACHE_ARG,
    repair: {
      type: "boolean",
      default: false,
      description: "remove damaged files; the next build computes them again",
    },
    json: JSON_ARG,
  },
  async run({ args }) {
    let files = 0;
    const problems = await verifyCache(args.cache, { repair: args.repair, onFile: () => files++ });
    for (const problem of problems)
      process.stdout.write(args.json ? `${JSON.stringify(problem)}\n` : `${problem.file}: ${problem.message}\n`);
    const removed = problems.filter((problem) => problem.removed).length;
    if (args.json) process.stdout.write(`${JSON.stringify({ files, damaged: problems.length, removed })}\n`);
    else process.stdout.write(`${files} files read, ${problems.length} damaged, ${removed} removed\n`);
    return problems.length > removed ? 1 : 0;
  },
});

/** `emosllm features prune`. */
export const prune: AnyCommand = defineCommand({
  meta: {
    name: "prune",
    description: "Removes leftovers of killed writers, doubled shards, and what the options say.",
  },
  args: {
    cache: CACHE_ARG,
    keep: { type: "string", description: "kinds or folder names, with commas; other features go" },
    "max-bytes": { type: "string", description: "oldest shards go until this is left, e.g. 50G" },
    "older-than-days": { type: "string", description: "shards written longer ago go" },
    "dry-run": { type: "boolean", default: false, description: "only tell" },
    json: JSON_ARG,
  },
  async run({ args }) {
    const maxBytes = args["max-bytes"];
    const days = args["older-than-days"];
    const summary = await pruneCache(args.cache, {
      dryRun: args["dry-run"],
      ...(args.keep === undefined ? {} : { keep: args.keep.split(",").map((name) => name.trim()) }),
      ...(maxBytes === undefined ? {} : { maxBytes: bytesArg("max-bytes", maxBytes) }),
      ...(days === undefined ? {} : { olderThanDays: numberArg("older-than-days", days) }),
    });
    const word = args["dry-run"] ? "would remove" : "removed";
    if (args.json) process.stdout.write(`${JSON.stringify({ ...summary, dryRun: args["dry-run"] })}\n`);
    else process.stdout.write(`${word} ${summary.files} files, ${mebibytes(summary.bytes)}\n`);
  },
});
