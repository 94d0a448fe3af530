import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folders of test/fixtures that tools/oracle/prompts_tokenizers.py writes. */
export const FAMILIES = [
  "llama3",
  "mistral",
  "mistral_legacy",
  "qwen2",
  "qwen3",
  "gemma2",
  "gemma3",
  "phi3",
  "smollm3",
] as const;

/** Fixtures of another seed: `prompts_tokenizers.py DIR --seed 5 --texts 400`, then EMOSLLM_PROMPTS_FIXTURES=DIR. */
const root = process.env["EMOSLLM_PROMPTS_FIXTURES"] ?? fileURLToPath(new URL("fixtures", import.meta.url));

export const fixture = (...parts: string[]): string => join(root, ...parts);
