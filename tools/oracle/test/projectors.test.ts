import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { replayProjector } from "../src/projectors.ts";

const fixtures = fileURLToPath(new URL("../../../packages/projector/test/fixtures", import.meta.url));

// Made by: python tools/oracle/projectors.py --out packages/projector/test/fixtures --seed 3
test.each(readdirSync(fixtures))("%s: vectors and gradients equal PyTorch's", async (name) => {
  const result = await replayProjector(`${fixtures}/${name}`, name);
  expect(result).toMatchObject({ case: name, ok: true });
});
