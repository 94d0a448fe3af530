/** @file `emosllm train CONFIG.yaml [key=value ...]` */
import { EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { progressWriter } from "../progress.ts";
import { readTrainConfig } from "../training/config.ts";
import { runTraining } from "../training/run.ts";

export default defineCommand({
  meta: {
    name: "train",
    description: "Train projector and adapter as a config says: emosllm train recipes/demo.yaml learning_rate=0.001",
  },
  args: {
    config: { type: "positional", description: "YAML file", required: true },
    json: { type: "boolean", description: "print the result as one JSON line" },
  },
  async run({ args }) {
    const overrides = args._.slice(1).map(String);
    if (overrides.some((o) => !o.includes("=")))
      throw new EmosllmError("usage", `overrides are written key=value, not ${overrides.join(" ")}`);
    const config = await readTrainConfig(args["config"] as string, overrides);
    const result = await runTraining(config, progressWriter({ every: config.logging_steps }));
    const summary = { ua: result.test.ua, wa: result.test.wa, bundle: result.bundle };
    process.stdout.write(args["json"] ? `${JSON.stringify(summary)}\n` : `bundle: ${result.bundle}\n`);
  },
});
