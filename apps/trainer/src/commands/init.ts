/** @file `emosllm init`: a commented config for a corpus and a model. */
import { stat } from "node:fs/promises";
import { collect, CORPORA, openCorpus, parseCorpus } from "@emosllm/datasets";
import { EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { configText, type ConfigChoices } from "../init/config-text.ts";
import { writeWhole } from "../write-whole.ts";
import type { AnyCommand } from "./_command.ts";

/** What most papers split each corpus by; others, and manifests without parts of their own, by speakers. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  iemocap: "loso5",
  meld: "official",
  "msp-podcast": "official",
  esd: "official",
  ravdess: "emobox-ravdess",
};
const DEFAULT_MODEL = "meta-llama/Llama-3.2-1B-Instruct";

const init = defineCommand({
  meta: {
    name: "init",
    description:
      "Writes a commented config for a corpus and a model, to stdout or --out. Looks at the corpus, where it is there, for its labels and parts.",
  },
  args: {
    corpus: {
      type: "string",
      required: true,
      description: `NAME:PATH, NAME one of ${Object.keys(CORPORA).join(", ")}`,
    },
    model: { type: "string", default: DEFAULT_MODEL, description: "language model: hub id or folder" },
    encoder: { type: "string", description: "speech encoder: hub id or folder (default: features without weights)" },
    output: { type: "string", default: "runs/first", description: "folder of the run" },
    out: { type: "string", description: "write the config to this file, which may not be there yet" },
    json: { type: "boolean", default: false, description: "print what was chosen as one JSON object" },
  },
  async run({ args }) {
    let name: string;
    try {
      ({ name } = parseCorpus(args.corpus));
    } catch (cause) {
      throw new EmosllmError("usage", `--corpus ${(cause as Error).message}`, { cause });
    }
    const seen = await look(args.corpus);
    const entry = CORPORA[name];
    const choices: ConfigChoices = {
      corpus: args.corpus,
      model: args.model,
      encoder: args.encoder,
      output: args.output,
      scheme: entry?.scheme ?? "iemocap-4",
      protocol: PROTOCOLS[name] ?? (seen?.parts.length ? "official" : "speakers5"),
      note: seen?.note ?? "not there yet; scheme and protocol are what most papers use",
      dialogues: name === "meld",
    };
    const text = configText(choices);
    if (args.out !== undefined) {
      if (await stat(args.out).catch(() => undefined))
        throw new EmosllmError("usage", `${args.out} is there already; give another file`);
      await writeWhole(args.out, text).catch((cause: Error) => {
        throw new EmosllmError("config_invalid", `${args.out} cannot be written (${cause.message})`, { cause });
      });
    }
    if (args.json) process.stdout.write(`${JSON.stringify({ file: args.out ?? null, ...choices })}\n`);
    else if (args.out === undefined) process.stdout.write(text);
    else
      process.stderr.write(
        `${args.out}\ntry: emosllm validate ${args.out}; emosllm doctor ${args.out}; emosllm train ${args.out}\n`,
      );
  },
});
export default init as AnyCommand;

/** What the corpus says of itself; undefined when it is not there. */
async function look(reference: string): Promise<{ note: string; parts: string[] } | undefined> {
  try {
    const utterances = await collect(openCorpus(reference));
    const labels = new Set(utterances.map((u) => u.label).filter((l) => l !== undefined));
    const speakers = new Set(utterances.map((u) => u.speaker).filter((s) => s !== undefined));
    const parts = [...new Set(utterances.map((u) => u.split).filter((s) => s !== undefined))];
    const note = `${utterances.length} utterances, ${speakers.size} speakers, labels ${[...labels].sort().slice(0, 12).join(" ")}`;
    return { note, parts };
  } catch (error) {
    if (error instanceof EmosllmError) return undefined;
    throw error;
  }
}
