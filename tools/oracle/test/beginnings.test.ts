import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BEGINNING_LIMITS, replayBeginning } from "../src/adapter-beginnings.ts";
import { TRAINING_LIMITS } from "../src/adapter-training.ts";
import { LIMIT, replayAdapter } from "../src/adapters.ts";

const fixture = (variant: string): string =>
  fileURLToPath(new URL(`../../../packages/lora/test/fixtures/begin/${variant}`, import.meta.url));

// Made by: python tools/oracle/peft_torch.py begin --out packages/lora/test/fixtures/begin --seed 4 --small --train 3
describe.each([
  ["pissa", "pissa"],
  ["pissa-rslora", "pissa"],
  ["pissa-niter", "pissa_niter_2000"],
  ["olora", "olora"],
  ["olora-patterns", "olora"],
  ["pissa-dora", "pissa"],
  ["olora-dora", "olora"],
])("%s", (variant, kind) => {
  test("first values, three steps and the plain LoRA equal PEFT's", async () => {
    const result = await replayBeginning(fixture(variant), kind);
    for (const [key, limit] of Object.entries({ ...TRAINING_LIMITS, ...BEGINNING_LIMITS }))
      expect(result[key as keyof typeof result], key).toBeLessThanOrEqual(limit);
  });

  test("the trained adapter reads over the untouched base, as PEFT saved it", async () => {
    const result = await replayAdapter(fixture(variant), variant);
    for (const key of ["error", "base_error", "merged_error"] as const)
      expect(result[key], key).toBeLessThanOrEqual(LIMIT);
  });
});
