/** @file `emosllm train CONFIG.yaml [--model ID] [--encoder ID] [--corpus NAME:PATH] [--output DIR] [key=value ...]` */
import { EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { progressWriter } from "../progress.ts";
import { readTrainConfig } from "../training/config.ts";
import { runTraining } from "../training/run.ts";

/** Options that stand for a key of the config. */
const ALIASES = {
  model: "model_name_or_path",
  encoder: "encoder_name_or_path",
  corpus: "corpus",
  output: "output_dir",
} as const;

export default defineCommand({
  meta: {
    name: "train",
    description: "Train projector and adapter as a config says: emosllm train recipes/demo.yaml learning_rate=0.001",
  },
  args: {
    config: { type: "positional", description: "YAML file", required: true },
    model: { type: "string", description: "language model: hub id or folder (model_name_or_path)" },
    encoder: { type: "string", description: "speech encoder: hub id or folder (encoder_name_or_path)" },
    corpus: { type: "string", description: "NAME:PATH, e.g. iemocap:/data/IEMOCAP_full_release" },
    output: { type: "string", description: "folder of the run (output_dir)" },
    json: { type: "boolean", description: "print the result as one JSON line" },
  },
  async run({ args }) {
    const overrides = args._.slice(1).map(String);
    if (overrides.some((o) => !o.includes("=")))
      throw new EmosllmError("usage", `overrides are written key=value, not ${overrides.join(" ")}`);
    const options = Object.entries(ALIASES).flatMap(([name, key]) => {
      const value = args[name as keyof typeof ALIASES];
      return value === undefined ? [] : [`${key}=${JSON.stringify(value)}`];
    });
    const config = await readTrainConfig(args["config"] as string, [...options, ...overrides]);
    const result = await runTraining(config, progressWriter({ every: config.logging_steps }));
    const summary = { ua: result.test.ua, wa: result.test.wa, bundle: result.bundle };
    process.stdout.write(args["json"] ? `${JSON.stringify(summary)}\n` : `bundle: ${result.bundle}\n`);
  },
});
