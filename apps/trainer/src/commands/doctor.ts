/** @file `emosllm doctor [CONFIG]`: whether this machine can do it, and what to do where it cannot. */
import { defineCommand } from "citty";
import { configChecks } from "../doctor/config-checks.ts";
import { type Finding, machineChecks } from "../doctor/checks.ts";
import type { AnyCommand } from "./_command.ts";

const MARKS: { readonly [K in Finding["status"]]: string } = { ok: "ok  ", note: "note", problem: "FAIL" };

const doctor = defineCommand({
  meta: {
    name: "doctor",
    description:
      "Looks at this machine (Node, cores, memory, disk, onnxruntime, ffmpeg, MPI, browser) and at a config (corpus, models; with --measure the memory and time of real steps), and says what is missing. Exit code 1 when something will not work.",
  },
  args: {
    config: { type: "positional", required: false, description: "YAML file, then key=value overrides" },
    measure: {
      type: "boolean",
      default: false,
      description: "train three steps of the config and tell memory and time",
    },
    json: { type: "boolean", default: false, description: "one JSON object per finding" },
  },
  async run({ args }) {
    const [config, ...overrides] = args._.map(String);
    const findings = await machineChecks(process.cwd());
    if (config !== undefined) findings.push(...(await configChecks(config, overrides, { measure: args.measure })));
    const width = Math.max(...findings.map((f) => f.check.length));
    for (const { check, status, value, advice, number } of findings)
      process.stdout.write(
        args.json
          ? `${JSON.stringify({ check, status, value, number: number ?? null, advice: advice ?? null })}\n`
          : `${MARKS[status]}  ${check.padEnd(width)}  ${value}${advice === undefined ? "" : `\n      ${" ".repeat(width)}  ${advice}`}\n`,
      );
    return findings.some((f) => f.status === "problem") ? 1 : 0;
  },
});
export default doctor as AnyCommand;
