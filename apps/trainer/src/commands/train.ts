/** @file `emosllm train CONFIG.yaml [--model ID] [--encoder ID] [--corpus NAME:PATH] [--output DIR] [key=value ...]` */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { openCollective } from "@emosllm/training";
import { defineCommand } from "citty";
import { progressWriter } from "../progress.ts";
import { writeRunReport } from "../report-page.ts";
import { readTrainConfig } from "../training/read-config.ts";
import { runTraining } from "../training/run.ts";

/** Options that stand for a key of the config. */
const ALIASES = {
  model: "model_name_or_path",
  encoder: "encoder_name_or_path",
  corpus: "corpus",
  output: "output_dir",
} as const;

/** A second Ctrl-C this many milliseconds after the first does not wait; one earlier is the same key seen twice. */
const SAME_KEY = 1000;

/** Ctrl-C asks the run to finish its step and save; a second one ends the process at once. */
function stopOnSignal(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  let first: number | undefined;
  const onSignal = (): void => {
    if (first === undefined) {
      first = performance.now();
      process.stderr.write("\nstopping: this step is finished and saved first (Ctrl-C again to stop at once)\n");
      controller.abort();
    } else if (performance.now() - first > SAME_KEY) process.exit(130);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    release: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

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
    // Started by mpirun or srun, this is one rank of several; the first speaks for all.
    const collective = await openCollective();
    const leads = collective.rank === 0;
    const stop = stopOnSignal();
    try {
      const progress = leads ? progressWriter({ every: config.logging_steps }) : () => undefined;
      const result = await runTraining(config, progress, { signal: stop.signal, collective });
      await collective.close();
      if (!leads) return;
      const { bundle, finishedBefore } = result;
      const report = join(config.output_dir, "report.html");
      // Killed between its results and its page, the run is finished all the same.
      if (!finishedBefore || !existsSync(report)) {
        const title = `${config.corpus}: ${config.protocol}, fold ${config.fold}`;
        await writeRunReport(config.output_dir, result.test.confusion.labels, title);
      }
      const summary = { ua: result.test.ua, wa: result.test.wa, bundle, report, finished_before: finishedBefore };
      process.stdout.write(args["json"] ? `${JSON.stringify(summary)}\n` : `bundle: ${bundle}\nreport: ${report}\n`);
    } finally {
      stop.release();
    }
  },
});
