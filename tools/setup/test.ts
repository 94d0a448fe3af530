/** @file `npm test`: runs every test this machine can run, and ends with one line `N passed, N failed[, N skipped]`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
  success: boolean;
}

const root = process.env["EMOSLLM_ROOT"] ?? process.cwd();
const folder = mkdtempSync(join(tmpdir(), "emosllm-test-"));
const json = join(folder, "report.json");
const reporter = process.stdout.isTTY ? "default" : "dot";
const run = spawnSync(
  process.execPath,
  [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    `--reporter=${reporter}`,
    "--reporter=json",
    `--outputFile.json=${json}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
);
if (!process.env["EMOSLLM_WEBGPU"])
  console.log(
    'skipped: tests on WebGPU. With a GPU: EMOSLLM_WEBGPU=1 npm test; without, on Debian: eval "$(bash tools/webgpu/software-vulkan.sh)"; npm test',
  );
if (!process.env["EMOSLLM_TFJS"])
  console.log('skipped: tests on tfjs-node. With g++ and Python: eval "$(bash tools/tfjs/build-node.sh)"; npm test');
let report: Report | undefined;
try {
  report = JSON.parse(readFileSync(json, "utf8")) as Report;
} catch {
  report = undefined;
}
rmSync(folder, { recursive: true, force: true });
if (!report) {
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
} else {
  // A file that does not load has no tests of its own, but it is a failure all the same.
  const failed = Math.max(report.numFailedTests, report.success && run.status === 0 ? 0 : 1);
  const skipped = report.numPendingTests > 0 ? `, ${report.numPendingTests} skipped` : "";
  console.log(`${report.numPassedTests} passed, ${failed} failed${skipped}`);
  process.exitCode = failed === 0 ? 0 : 1;
}
