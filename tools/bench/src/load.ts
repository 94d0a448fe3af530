/**
 * @file `bench load --shape S --precision P`: how long a language model takes from its folder to its first logits, and how much memory.
 * Two fresh processes, one after the other: the first packs the weights, the second finds them packed.
 */
import { rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Precision, causalLayout, openLanguageModel } from "@emosllm/backbones";
import type { PackedBlock } from "@emosllm/checkpoints";
import { input } from "@emosllm/graph";
import { compile, i64 } from "@emosllm/runtime";
import { freshBench } from "./fresh.ts";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { round } from "./set-up.ts";
import { SHAPES } from "./shapes.ts";

/** One process' times in seconds. */
interface Start {
  readonly open_s: number;
  readonly compile_s: number;
  readonly first_logits_s: number;
  readonly peak_rss_mib: number;
}

/** `--keep` leaves the checkpoint (6 GB for the 3B shape) in the system's folder for temporary files. */
export async function benchLoad(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      shape: { type: "string", default: "llama-3.2-3b" },
      layers: { type: "string", default: "0" },
      precision: { type: "string", default: "int4" },
      "block-size": { type: "string" },
      threads: { type: "string", default: String(availableParallelism()) },
      keep: { type: "boolean", default: false },
      folder: { type: "string" },
    },
  });
  const root = join(tmpdir(), "emosllm-bench");
  const precision = values.precision as Precision;
  const block = values["block-size"];
  const blockSize = block === undefined ? undefined : ((block === "row" ? block : Number(block)) as PackedBlock);
  if (values.folder !== undefined)
    return { ...(await start(values.folder, root, { precision, blockSize, threads: Number(values.threads) })) };
  const sizes = SHAPES[values.shape];
  if (!sizes) throw new Error(`--shape '${values.shape}' is not one of ${Object.keys(SHAPES).join(", ")}`);
  const folder = await randomCheckpoint(root, values.shape, sizes, Number(values.layers) || sizes.layers, "BF16");
  const blockFlag = block === undefined ? [] : ["--block-size", block];
  const fresh = (): Promise<Start> =>
    freshBench(["load", "--folder", folder, "--precision", precision, "--threads", values.threads, ...blockFlag]);
  try {
    const [first, again] = [await fresh(), await fresh()];
    return { shape: values.shape, precision, ...(blockSize === undefined ? {} : { blockSize }), first, again };
  } finally {
    if (!values.keep) {
      await rm(folder, { recursive: true, force: true });
      await rm(join(root, "packed"), { recursive: true, force: true });
    }
  }
}

/** Opens, compiles and asks for the logits of eight tokens in this process. */
async function start(
  folder: string,
  cacheFolder: string,
  { precision, blockSize, threads }: { precision: Precision; blockSize: PackedBlock | undefined; threads: number },
): Promise<Start> {
  const seconds = (since: number): number => round((performance.now() - since) / 1000);
  const began = performance.now();
  const model = await openLanguageModel(folder, { precision, blockSize, packing: { cacheFolder, threads } });
  const open_s = seconds(began);
  const compiling = performance.now();
  const ids = input("ids", ["tokens"], "i64");
  const hidden = model.layers(model.embed(ids), causalLayout({ rows: 1, suffix: "tokens" }));
  const program = await compile({ logits: model.head(hidden) }, { weights: model.weights, threads });
  const compile_s = seconds(compiling);
  await program.run({ ids: i64([1, 2, 3, 4, 5, 6, 7, 8]) });
  const first_logits_s = seconds(began);
  await program.dispose();
  return { open_s, compile_s, first_logits_s, peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024) };
}
