/** The goldens of PyTorch on WebGPU. Runs where EMOSLLM_WEBGPU=1 says that there is a device. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { LIMITS, replay } from "../src/emosllm.ts";

test.skipIf(!process.env["EMOSLLM_WEBGPU"]).each(["golden-all-linear", "golden-sinusoidal"])(
  "%s: logits, losses, gradients and trained weights equal PyTorch's",
  { timeout: 120_000 },
  async (name) => {
    const result = await replay(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)), { device: "webgpu" });
    for (const key of Object.keys(LIMITS) as (keyof typeof LIMITS)[])
      expect(result[key], key).toBeLessThanOrEqual(LIMITS[key]);
  },
);
