import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { LIMIT, replayAdapter } from "../src/adapters.ts";
import { bitsEqual, replayMerge } from "../src/adapter-merge.ts";
import { TRAINING_LIMITS, replayTraining } from "../src/adapter-training.ts";

const fixture = (variant: string): string =>
  fileURLToPath(new URL(`../../../packages/lora/test/fixtures/adapters/${variant}`, import.meta.url));

// Made by: python tools/oracle/peft_torch.py make --out packages/lora/test/fixtures/adapters --seed 7 --small --train 3
const VARIANTS = [
  "lora",
  "all-linear",
  "rslora",
  "dora",
  "patterns",
  "regex",
  "some-layers",
  "exclude",
  "bias",
  "lora-bias",
  "save-head",
  // Made by: make --small --train 3 --seed 6 --only save-norms,embeddings-dora,... --out packages/lora/test/fixtures/outside
  "../outside/save-norms",
  "../outside/embeddings-dora",
  "../outside/tokens",
  "../outside/tied-ensured",
  "../outside/tied-embeddings",
  "../outside/gemma-embeddings",
  "../outside/gemma-tokens",
];

describe.each(VARIANTS)("%s", (variant) => {
  test("logits with, without and merged equal PEFT's", async () => {
    const result = await replayAdapter(fixture(variant), variant);
    expect(result).toMatchObject({ variant, ok: true });
    for (const key of ["error", "base_error", "merged_error"] as const)
      expect(result[key], key).toBeLessThanOrEqual(LIMIT);
  });

  test("losses, gradients and values of three steps of AdamW equal PEFT's", async () => {
    const result = await replayTraining(fixture(variant));
    for (const key of ["losses", "gradients", "final"] as const)
      expect(result[key], key).toBeLessThanOrEqual(TRAINING_LIMITS[key]);
  });
});

// Made by: python tools/oracle/peft_torch.py make --dtype f16 --small --seed 8 --only rslora,embeddings,tied-save-head --out packages/lora/test/fixtures/f16
test.each(["rslora", "embeddings", "tied-save-head"])(
  "%s: every weight merged in f16 has PEFT's bits",
  async (variant) => {
    const bits = await replayMerge(fixture(`../f16/${variant}`));
    expect(bits).toSatisfy(bitsEqual);
  },
);

// Made by: python tools/oracle/peft_torch.py make --small --seed 9 --only bias --train 3 --loraplus 16 --out packages/lora/test/fixtures/loraplus
test("three steps of LoRA+ equal those of PEFT's create_loraplus_optimizer", async () => {
  const result = await replayTraining(fixture("../loraplus/bias"));
  for (const key of ["losses", "gradients", "final"] as const)
    expect(result[key], key).toBeLessThanOrEqual(TRAINING_LIMITS[key]);
});
