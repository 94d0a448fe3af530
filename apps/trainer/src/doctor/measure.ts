/** @file A process of its own that trains the given config for its few steps and prints its peak memory and the time of a step. */
import { readTrainConfig } from "../training/read-config.ts";
import { runTraining } from "../training/run.ts";

const [file = "", ...overrides] = process.argv.slice(2);
const times: number[] = [];
let peakBytes = 0;
try {
  const config = await readTrainConfig(file, overrides);
  await runTraining(config, (event) => {
    if (event.type !== "step") return;
    times.push(performance.now());
    peakBytes = process.resourceUsage().maxRSS * 1024;
  });
  // The first step compiles its programs; a single batch form may need another compilation later.
  const steps = times.slice(1).map((t, i) => (t - (times[i] as number)) / 1000);
  const secondsPerStep = steps.length > 0 ? Math.min(...steps) : Number.NaN;
  process.stdout.write(`${JSON.stringify({ peakBytes, secondsPerStep })}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
