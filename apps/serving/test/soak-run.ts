/** @file `node tools/setup/run.mjs apps/serving/test/soak-run.ts [FOLDER] [SECONDS] [KILL_EVERY]`: the long run, one line of JSON at the end. */
import { resolve } from "node:path";
import { randomBundle } from "./bundle.ts";
import { soak } from "./soak.ts";

const [folder, seconds = "600", killEvery = "30"] = process.argv.slice(2);
const result = await soak({
  folder: folder === undefined ? await randomBundle() : resolve(folder),
  seconds: Number(seconds),
  killEverySeconds: Number(killEvery),
  onSample: (sample) => process.stderr.write(`${JSON.stringify(sample)}\n`),
});
const { samples, ...rest } = result;
const settled = samples.filter((s) => s.seconds > Number(seconds) / 5);
const p99s = samples.map((s) => s.loopP99Ms).sort((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({
    ...rest,
    loop_p99_ms: { median: p99s[p99s.length >> 1], worst: p99s.at(-1) },
    server_mib: { first: settled[0]?.serverMib, last: settled.at(-1)?.serverMib },
    models_mib: { first: settled[0]?.modelsMib, last: settled.at(-1)?.modelsMib },
  })}\n`,
);
process.exitCode = rest.wrong.length + rest.lost.length > 0 ? 1 : 0;
