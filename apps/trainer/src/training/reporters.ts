/** @file Where figures go beside `log.jsonl`: TensorBoard's event files in `runs/`, Weights & Biases where its package is installed. */
import { basename, join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { openEventFile } from "@emosllm/training";
import type { TrainConfig } from "./config.ts";
import type { TrainEvent } from "./events.ts";
import type { LogEntry } from "./trainer-state.ts";

/** Takes a run's events. Close it. */
export interface Reporter {
  take(event: TrainEvent): void;
  close(): Promise<void>;
}

/** `train/loss`, `eval/ua`, `test/ua`: the log's names in groups. */
function tagged(entry: LogEntry): Record<string, number> {
  const figures = Object.entries(entry).filter(
    (pair): pair is [string, number] => typeof pair[1] === "number" && pair[0] !== "step",
  );
  return Object.fromEntries(
    figures.map(([name, value]) => [/^(eval|test)_/.test(name) ? name.replace("_", "/") : `train/${name}`, value]),
  );
}

/** Opens what `report_to` lists; `step` is where the run goes on. Throws EmosllmError `usage` for Weights & Biases without its package. */
export async function openReporters(config: TrainConfig, step: number): Promise<Reporter> {
  const all = await Promise.all(config.report_to.map((name) => REPORTERS[name](config, step)));
  return {
    take: (event) => {
      for (const r of all) r.take(event);
    },
    close: async () => {
      for (const r of all) await r.close();
    },
  };
}

const REPORTERS: Readonly<
  Record<TrainConfig["report_to"][number], (config: TrainConfig, step: number) => Promise<Reporter>>
> = {
  tensorboard: async ({ output_dir, logging_steps }, step) => {
    // What was written after the checkpoint comes again: TensorBoard is told to forget it.
    const file = openEventFile(join(output_dir, "runs"), step > 0 ? { from: step + 1 } : {});
    return {
      take: (event) => {
        if (event.type === "log") file.scalars(event.entry.step, tagged(event.entry));
        if (event.type === "step" && event.step % logging_steps === 0)
          file.scalars(event.step, {
            "train/utterances_per_second": event.utterancesPerSecond,
            "train/memory_mib": event.memory / 2 ** 20,
          });
      },
      close: async () => file.close(),
    };
  },
  wandb: async (config) => {
    const run = await openWandb(config);
    return {
      take: (event) => {
        if (event.type === "log") run.log(tagged(event.entry), event.entry.step);
      },
      close: () => run.finish(),
    };
  },
};

interface WandbRun {
  log(data: Record<string, unknown>, step?: number): void;
  finish(): Promise<void>;
}

/** The package is the user's own choice, not a dependency. */
async function openWandb(config: TrainConfig): Promise<WandbRun> {
  const name = "@wandb/sdk";
  let found: { readonly default: { init(options: object): Promise<WandbRun> } };
  try {
    found = (await import(name)) as typeof found;
  } catch (cause) {
    throw new EmosllmError(
      "usage",
      `report_to: wandb needs the package ${name}, which is not installed here (npm install ${name}); or leave wandb out: log.jsonl and runs/ have the same figures`,
      { cause },
    );
  }
  // It would end the process at Ctrl-C, before the step is finished and saved; `close` tells it of the end.
  const before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
  const settings = { silent: true };
  const run = await found.default.init({ project: "emosllm", name: basename(config.output_dir), config, settings });
  for (const [signal, own] of before)
    for (const listener of process.listeners(signal))
      if (!own.includes(listener)) process.removeListener(signal, listener);
  return run;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
