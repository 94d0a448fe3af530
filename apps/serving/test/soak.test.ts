import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { randomBundle, removeBundle } from "./bundle.ts";
import { soak } from "./soak.ts";

test.skipIf(!existsSync("/proc/self/task"))(
  "mixed traffic, hostile requests and killed processes: nothing wrong, nothing lost (10 minutes: test/soak-run.ts)",
  { timeout: 120_000 },
  async () => {
    const folder = await randomBundle();
    const { wrong, lost, statuses, requests, hostile, kills } = await soak({ folder, seconds: 8, killEverySeconds: 3 });
    await removeBundle(folder);
    expect({ wrong, lost }).toEqual({ wrong: [], lost: [] });
    expect(Object.keys(statuses).filter((s) => !["200", "429", "503"].includes(s))).toEqual([]);
    expect(requests).toBeGreaterThan(20);
    expect(hostile).toBeGreaterThan(0);
    expect(kills).toBe(2);
  },
);
