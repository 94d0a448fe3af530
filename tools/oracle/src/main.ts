/** @file `npm run -s oracle -- CHECK DIR...`: compares what we compute with what a Python reference wrote. One JSON line a directory; exit 1 when one fails. */
type Check = (args: readonly string[]) => AsyncIterable<{ readonly ok: boolean }>;

const CHECKS: Readonly<Record<string, () => Promise<Check>>> = {
  adapters: async () => (await import("./adapters.ts")).checkAdapters,
  emosllm: async () => (await import("./emosllm.ts")).checkEmosllm,
  generation: async () => (await import("./generation.ts")).checkGeneration,
  models: async () => (await import("./models.ts")).checkModels,
  projectors: async () => (await import("./projectors.ts")).checkProjectors,
};

const [name = "", ...args] = process.argv.slice(2);
const load = CHECKS[name];
if (!load || args.length === 0) {
  process.stderr.write(`usage: npm run -s oracle -- CHECK DIR...\nchecks: ${Object.keys(CHECKS).join(", ")}\n`);
  process.exitCode = 2;
} else {
  try {
    for await (const result of (await load())(args)) {
      process.stdout.write(`${JSON.stringify(result)}\n`);
      if (!result.ok) process.exitCode = 1;
    }
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
