/** @file What the tests share: the fixtures that `tools/oracle/peft_torch.py` made, and copies of them to damage. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LanguageModel, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, loadSafetensors, writeSafetensors } from "@emosllm/checkpoints";
import { onTestFinished } from "vitest";
import type { LoraBase } from "../src/index.ts";

export const fixture = (path: string): string => fileURLToPath(new URL(`./fixtures/${path}`, import.meta.url));

/** An empty folder that goes away with the test. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-lora-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function openBase(variant: string): Promise<{ model: LanguageModel; base: LoraBase }> {
  const model = await openLanguageModel(fixture(`${variant}/backbone`));
  return { model, base: { linearPaths: model.linearPaths, tensors: model.checkpoint.tensors } };
}

/** A copy of a variant's adapter with changed tensors or config. */
export async function damaged(
  variant: string,
  change: (tensors: Map<string, StoredTensor>, config: Record<string, unknown>) => void,
): Promise<string> {
  const folder = await scratch();
  await cp(fixture(`${variant}/adapter`), folder, { recursive: true });
  const [weights, settings] = [join(folder, "adapter_model.safetensors"), join(folder, "adapter_config.json")];
  const tensors = await loadSafetensors(weights);
  const config = JSON.parse(await readFile(settings, "utf8")) as Record<string, unknown>;
  change(tensors, config);
  await writeSafetensors(weights, tensors, { format: "pt" });
  await writeFile(settings, JSON.stringify(config));
  return folder;
}
