/** @file A process that fills a cache; the tests kill it. Arguments: folder of clips, cache, shard, milliseconds per clip. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { buildFeatures, workShard } from "../src/index.ts";
import { levels } from "./cache-feature.ts";

const [folder = "", cache = "", shard = "0/1", delay = "0"] = process.argv.slice(2);
const clips = readdirSync(folder)
  .sort()
  .map((name) => ({ id: name, audio: { path: join(folder, name) } }));
await buildFeatures(clips, {
  features: [
    {
      ...levels,
      compute: async (samples, rate) => {
        await new Promise((resolve) => setTimeout(resolve, Number(delay)));
        return levels.compute(samples, rate);
      },
    },
  ],
  cache,
  clipsPerShard: 8,
  shard: workShard(shard),
  onEvent: ({ type, id }) => process.stdout.write(`${type} ${id}\n`),
});
process.stdout.write("finished\n");
