/** @file onnxruntime's reports to Microsoft stay off: nothing is written where it would keep its device id and its queue of events. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChild } from "./children/run-child.ts";

/** What a run leaves in a home and a temporary folder of its own. */
function leftBehind(more: NodeJS.ProcessEnv): string[] {
  const folder = mkdtempSync(join(tmpdir(), "emosllm-telemetry-"));
  try {
    for (const name of ["home", "tmp"]) mkdirSync(join(folder, name));
    // In CI, and where it is set already, onnxruntime would be silent by itself.
    const { CI: _, ORT_DISABLE_TELEMETRY: __, XDG_CACHE_HOME: ___, ...env } = process.env;
    const places = { HOME: join(folder, "home"), TMPDIR: join(folder, "tmp") };
    const { code, stdout, stderr } = runChild("one-run.ts", [], [], { ...env, ...places, ...more });
    expect(code, stderr).toBe(0);
    expect(stdout.trim()).toBe("-1,-2");
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) => /deviceid|onnxruntime\.db|mat-debug/.test(f)); // prettier-ignore
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.skipIf(process.platform !== "linux")(
  "a run through this package leaves no trace of telemetry; asked for, it does",
  () => {
    expect(leftBehind({})).toEqual([]);
    // So that this test would notice a variable of another name.
    expect(leftBehind({ ORT_DISABLE_TELEMETRY: "0" })).not.toEqual([]);
  },
);
