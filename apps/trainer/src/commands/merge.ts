/** @file `emosllm merge`: a bundle's adapter worked into its language model, as an ordinary model folder. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { type MergeDType, mergeAdapter } from "@emosllm/lora";
import { loadBundle } from "@emosllm/model";
import { defineCommand } from "citty";
import { oneOf } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const DTYPES = ["f32", "f16", "bf16"] as const satisfies readonly MergeDType[];
/** What maps sound into the merged model; it is no part of the language model and stays as it was trained. */
const PROJECTOR_FILES = ["projector.safetensors", "projector_config.json"];

const merge = defineCommand({
  meta: {
    name: "merge",
    description:
      "Writes the language model with the bundle's adapter merged into its weights, as a Hugging Face folder; the projector lies beside it.",
  },
  args: {
    bundle: { type: "string", required: true, description: "folder of a trained model" },
    out: { type: "string", required: true, description: "folder to make; it may not be there yet" },
    dtype: { type: "string", description: `type of the weights: ${DTYPES.join(", ")} (default: the base's)` },
    base: { type: "string", description: "folder of the base model, when the bundle's own path has moved" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const dtype = args.dtype === undefined ? undefined : oneOf("dtype", args.dtype, DTYPES);
    const bundle = await loadBundle(args.bundle, { baseModel: args.base });
    const result = await mergeAdapter({
      base: bundle.backboneFolder,
      adapter: join(bundle.folder, "adapter"),
      out: args.out,
      ...(dtype === undefined ? {} : { dtype }),
    });
    for (const file of PROJECTOR_FILES) await cp(join(bundle.folder, file), join(args.out, file));
    process.stdout.write(
      args.json
        ? `${JSON.stringify({ out: args.out, files: result.files, changed: result.changed })}\n`
        : `${args.out}: ${result.changed.length} tensors merged, ${result.files.length} weight file${result.files.length === 1 ? "" : "s"}\n`,
    );
  },
});
export default merge as AnyCommand;
