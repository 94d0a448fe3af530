/**
 * @file How many replicas a load needs: Poisson arrivals against the server's own batching rule, with measured service times.
 * `node tools/setup/run.mjs apps/serving/scripts/replicas.ts --rate 300 [--processes 2 --fixed-ms 4.6 --item-ms 14.5 --max-batch 8 --queue 256]`
 */
import { parseArgs } from "node:util";
import { simulateReplica } from "../src/simulate.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "300" },
    processes: { type: "string", default: "2" },
    "fixed-ms": { type: "string", default: "4.6" },
    "item-ms": { type: "string", default: "14.5" },
    "max-batch": { type: "string", default: "8" },
    queue: { type: "string", default: "256" },
  },
});
for (let replicas = 1; replicas <= 8; replicas++)
  process.stdout.write(
    `${JSON.stringify({
      replicas,
      ...simulateReplica({
        rate: Number(values.rate) / replicas,
        processes: Number(values.processes),
        fixedMs: Number(values["fixed-ms"]),
        itemMs: Number(values["item-ms"]),
        maxBatch: Number(values["max-batch"]),
        maxQueue: Number(values.queue),
      }),
    })}\n`,
  );
