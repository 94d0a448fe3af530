/** @file `emosllm features`: the table of its sub-commands, each loaded when it is called. */
import { type CommandDef, defineCommand } from "citty";

const features: CommandDef = defineCommand({
  meta: { name: "features", description: "Features of sound: compute, describe, keep in a cache." },
  subCommands: {
    bins: () => import("./features-describe.ts").then((m) => m.bins),
    build: () => import("./features-build.ts").then((m) => m.default),
    describe: () => import("./features-describe.ts").then((m) => m.describe),
    extract: () => import("./features-extract.ts").then((m) => m.default),
    prune: () => import("./features-cache.ts").then((m) => m.prune),
    size: () => import("./features-cache.ts").then((m) => m.size),
    verify: () => import("./features-cache.ts").then((m) => m.verify),
  },
});
export default features;
