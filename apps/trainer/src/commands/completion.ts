/** @file `emosllm completion bash|zsh|fish`: a script that completes commands and options, made from the same tables as --help. */
import { EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { completionScript, SHELLS, type Shell } from "../completion/scripts.ts";
import { commandTree } from "../completion/tree.ts";
import type { AnyCommand } from "./_command.ts";

const completion = defineCommand({
  meta: {
    name: "completion",
    description: "Prints a completion script for a shell; its first lines say where to put it.",
  },
  args: { shell: { type: "positional", required: true, description: SHELLS.join(", ") } },
  async run({ args }) {
    const shell = args.shell;
    if (!(SHELLS as readonly string[]).includes(shell))
      throw new EmosllmError("usage", `'${shell}' is not one of ${SHELLS.join(", ")}`);
    const { root } = await import("../cli.ts");
    process.stdout.write(completionScript(shell as Shell, await commandTree(root)));
  },
});
export default completion as AnyCommand;
