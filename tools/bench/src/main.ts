/** @file `npm run -s bench -- NAME [flags]`: one JSON object a line; exit 1 when it fails. */
type Bench = (argv: readonly string[]) => Promise<Readonly<Record<string, unknown>>>;

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  "all-reduce": async () => (await import("./all-reduce.ts")).benchAllReduce,
  batching: async () => (await import("./batching.ts")).benchBatching,
  decode: async () => (await import("./decode.ts")).benchDecode,
  encoder: async () => (await import("./encoder.ts")).benchEncoder,
  executors: async () => (await import("./executors.ts")).benchExecutors,
  features: async () => (await import("./features.ts")).benchFeatures,
  precision: async () => (await import("./precision.ts")).benchPrecision,
  generate: async () => (await import("./generate.ts")).benchGenerate,
  memory: async () => (await import("./memory.ts")).benchMemory,
  profile: async () => (await import("./profile.ts")).benchProfile,
  gradients: async () => (await import("./gradients.ts")).benchGradients,
  load: async () => (await import("./load.ts")).benchLoad,
  serve: async () => (await import("./serve.ts")).benchServe,
  train: async () => (await import("./train.ts")).benchTrain,
};

const [name = "", ...argv] = process.argv.slice(2);
const load = BENCHES[name];
if (!load) {
  process.stderr.write(`usage: npm run -s bench -- NAME [flags]\nnames: ${Object.keys(BENCHES).join(", ")}\n`);
  process.exitCode = 2;
} else {
  try {
    process.stdout.write(`${JSON.stringify(await (await load())(argv))}\n`);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
