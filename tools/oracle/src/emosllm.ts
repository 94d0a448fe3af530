/** @file Replays a `golden` directory of emosllm_torch.py: same weights and batch in, same logits, losses, gradients and trained weights out. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openLanguageModel } from "@emosllm/backbones";
import { loadSafetensors } from "@emosllm/checkpoints";
import { readLoraConfig } from "@emosllm/lora";
import type { Device } from "@emosllm/runtime";
import {
  type Golden,
  type ReplayOptions,
  type ReplayResult,
  type StoredTensors,
  replayGolden,
} from "./golden-replay.ts";

export { LIMITS, goldenRows } from "./golden-replay.ts";

/** Result of one directory. */
export interface EmosllmResult extends ReplayResult {
  readonly dir: string;
}

/** Replays one directory. */
export async function replay(dir: string, options: ReplayOptions = {}): Promise<EmosllmResult> {
  const golden = JSON.parse(await readFile(join(dir, "golden.json"), "utf8")) as Golden;
  const languageModel = await openLanguageModel(join(dir, "backbone"));
  const loraConfig = await readLoraConfig(join(dir, "adapter"));
  const [projectorWeights, adapterWeights, batch, reference] = (await Promise.all(
    ["projector.safetensors", "adapter/adapter_model.safetensors", "batch.safetensors", "golden.safetensors"].map((f) =>
      loadSafetensors(join(dir, f)),
    ),
  )) as [StoredTensors, StoredTensors, StoredTensors, StoredTensors];
  const files = { golden, languageModel, loraConfig, projectorWeights, adapterWeights, batch, reference };
  return { dir, ...(await replayGolden(files, options)) };
}

/** Replays each directory: `DIR... [--device cpu|webgpu|tfjs-wasm|...]`. */
export async function* checkEmosllm(args: readonly string[]): AsyncIterable<EmosllmResult> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { device: { type: "string", default: "cpu" } },
    allowPositionals: true,
  });
  for (const dir of positionals) yield await replay(dir, { device: values.device as Device });
}
