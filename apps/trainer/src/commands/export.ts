/** @file `emosllm export`: a bundle's adapter as other programs read it. */
import { join } from "node:path";
import { exportAdapter, loadAdapter, saveAdapter } from "@emosllm/lora";
import { loadBundle } from "@emosllm/model";
import { defineCommand } from "citty";
import { oneOf } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

/** How each target's adapter is written, and what its user does next. */
const TARGETS = {
  vllm: { write: exportAdapter, next: (out: string) => `vllm serve BASE --enable-lora --lora-modules emotion=${out}` },
  "llama.cpp": { write: exportAdapter, next: (out: string) => `python convert_lora_to_gguf.py ${out} --base BASE` },
  peft: {
    write: (out: string, loaded: Awaited<ReturnType<typeof loadAdapter>>) => saveAdapter(out, loaded),
    next: (out: string) => `PeftModel.from_pretrained(base, "${out}")`,
  },
} as const;
type Target = keyof typeof TARGETS;
const NAMES = Object.keys(TARGETS) as Target[];

const command = defineCommand({
  meta: {
    name: "export",
    description:
      "Writes a bundle's adapter for vLLM, llama.cpp (its converter) or PEFT. vLLM and llama.cpp know plain LoRA only: ranks are padded and factors worked in; what they cannot hold is refused.",
  },
  args: {
    bundle: { type: "string", required: true, description: "folder of a trained model" },
    to: { type: "string", required: true, description: NAMES.join(", ") },
    out: { type: "string", required: true, description: "folder to write" },
    base: { type: "string", description: "folder of the base model, when the bundle's own path has moved" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const to = oneOf("to", args.to, NAMES);
    const { folder, parts, manifest } = await loadBundle(args.bundle, { baseModel: args.base });
    const { linearPaths, checkpoint } = parts.languageModel;
    const base = { linearPaths, tensors: checkpoint.tensors };
    const loaded = await loadAdapter(join(folder, "adapter"), base);
    await TARGETS[to].write(args.out, loaded, base);
    // A model that lies in the bundle is named from there; other programs are started from here.
    const { name_or_path: place } = manifest.base_model;
    const name = args.base ?? (place === "backbone" ? join(args.bundle, place) : place);
    process.stdout.write(
      args.json
        ? `${JSON.stringify({ out: args.out, to, base_model: name, targets: loaded.adapter.targets.length })}\n`
        : `${args.out}: adapter of ${loaded.adapter.targets.length} layers of ${name}\n${TARGETS[to].next(args.out).replace("BASE", name)}\n`,
    );
  },
});
export default command as AnyCommand;
