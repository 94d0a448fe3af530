import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { TFJS } from "../../../packages/runtime/test/tfjs-devices.ts";
import { LIMITS, replay } from "../src/emosllm.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

// Made by: python tools/oracle/emosllm_torch.py golden --out DIR with the flags in each golden.json.
describe.each(["golden-all-linear", "golden-sinusoidal"])("%s", (name) => {
  test("logits, losses, gradients and trained weights equal PyTorch's", async () => {
    const result = await replay(fixture(name));
    for (const key of Object.keys(LIMITS) as (keyof typeof LIMITS)[])
      expect(result[key], key).toBeLessThanOrEqual(LIMITS[key]);
    expect(result.ok).toBe(true);
  });

  test("the same without the shared prefix", async () => {
    expect((await replay(fixture(name), { sharedPrefix: false })).ok).toBe(true);
  });
});

// Plain JavaScript would take minutes.
test.each(TFJS.filter((d) => d !== "tfjs-cpu"))("%s learns the same", { timeout: 60_000 }, async (device) => {
  const result = await replay(fixture("golden-sinusoidal"), { device });
  for (const key of Object.keys(LIMITS) as (keyof typeof LIMITS)[])
    expect(result[key], key).toBeLessThanOrEqual(LIMITS[key]);
});

test("a changed weight is noticed", async () => {
  const { cp, mkdtemp, readFile, rm, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const { join } = await import("node:path");
  const folder = await mkdtemp(join(tmpdir(), "emosllm-golden-"));
  try {
    await cp(fixture("golden-sinusoidal"), folder, { recursive: true });
    const file = join(folder, "projector.safetensors");
    const bytes = await readFile(file);
    // The last float of the file: flip its sign.
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 0x80;
    await writeFile(file, bytes);
    expect((await replay(folder)).ok).toBe(false);
  } finally {
    await rm(folder, { recursive: true });
  }
});
