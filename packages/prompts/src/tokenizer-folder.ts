/** @file Reading a tokenizer from a Hugging Face model folder. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

/**
 * Reads `tokenizer.json`, `tokenizer_config.json` and, where it stands, `chat_template.jinja` of a model folder.
 *
 * @throws EmosllmError `checkpoint_not_found` where a file is missing, `checkpoint_invalid` where one is malformed,
 * `model_unsupported` for a tokenizer that is not BPE.
 * @example
 * const tokenizer = await loadTokenizer("models/Llama-3.2-1B-Instruct");
 * tokenizer.decode(tokenizer.encode("Hello", { addSpecialTokens: false })); // "Hello"
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const [tokenizer, config, chatTemplate] = await Promise.all([
    readText(join(folder, "tokenizer.json")),
    readText(join(folder, "tokenizer_config.json")),
    readText(join(folder, "chat_template.jinja")),
  ]);
  const missing =
    tokenizer === undefined ? "tokenizer.json" : config === undefined ? "tokenizer_config.json" : undefined;
  if (missing !== undefined || tokenizer === undefined || config === undefined)
    throw new EmosllmError(
      "checkpoint_not_found",
      `${join(folder, missing ?? "")} does not exist; a tokenizer needs tokenizer.json and tokenizer_config.json, as transformers saves them`,
    );
  return createTokenizer({
    tokenizer: parseJson(tokenizer, join(folder, "tokenizer.json")),
    config: parseJson(config, join(folder, "tokenizer_config.json")),
    chatTemplate,
    folder,
  });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new EmosllmError("checkpoint_not_found", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new EmosllmError("checkpoint_invalid", `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}
