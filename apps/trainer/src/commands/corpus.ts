/** @file `emosllm corpus`: the table of its sub-commands, each loaded when it is called. */
import { type CommandDef, defineCommand } from "citty";

const corpus: CommandDef = defineCommand({
  meta: { name: "corpus", description: "Corpora: audit them and their splits, write them in other forms." },
  subCommands: {
    audit: () => import("./corpus-audit.ts").then((m) => m.default),
    export: () => import("./corpus-export.ts").then((m) => m.default),
    split: () => import("./corpus-split.ts").then((m) => m.default),
    list: () => import("./corpus-list.ts").then((m) => m.default),
  },
});
export default corpus;
