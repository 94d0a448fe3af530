/** @file `emosllm validate CONFIG`: everything that is wrong with a config, at once. */
import { defineCommand } from "citty";
import { stringify } from "yaml";
import { checkTrainConfig } from "../training/read-config.ts";
import type { AnyCommand } from "./_command.ts";

const validate = defineCommand({
  meta: {
    name: "validate",
    description:
      "Checks a config: every problem with file, line, key, value, what is accepted and the nearest name. Exit code 1 when there is one.",
  },
  args: {
    config: { type: "positional", required: true, description: "YAML file, then key=value overrides" },
    resolved: { type: "boolean", default: false, description: "print the config with every default filled in" },
    json: { type: "boolean", default: false, description: "one JSON object per problem; of a valid config the result" },
  },
  async run({ args }) {
    const overrides = args._.slice(1).map(String);
    const { config, problems } = await checkTrainConfig(args.config, overrides);
    for (const problem of problems) {
      const { file, line, path, value, message, accepted } = problem;
      const place = `${file}${line === undefined ? "" : `:${line}`}`;
      const text = `${place}: ${path || "config"}: ${message}`;
      process.stdout.write(
        args.json
          ? `${JSON.stringify({ file, line: line ?? null, path, value: value ?? null, message, accepted: accepted ?? null })}\n`
          : `${text}${accepted && accepted.length <= 120 && !message.includes(accepted) ? ` (accepted: ${accepted})` : ""}\n`,
      );
    }
    if (!config) return 1;
    if (args.json) process.stdout.write(`${JSON.stringify({ file: args.config, valid: true, config })}\n`);
    else process.stdout.write(args.resolved ? stringify(config) : `${args.config}: valid\n`);
    return 0;
  },
});
export default validate as AnyCommand;
