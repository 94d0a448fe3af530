/** @file Reads a configuration file of a model folder. */
import { readFile } from "node:fs/promises";
import { EmosllmError } from "@emosllm/interfaces";

/** A JSON object. Throws EmosllmError `checkpoint_not_found` (with `hint`) or `checkpoint_invalid`. */
export async function readJsonObject(file: string, hint: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new EmosllmError("checkpoint_not_found", `${file} cannot be read: ${hint}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EmosllmError("checkpoint_invalid", `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new EmosllmError("checkpoint_invalid", `${file}: an object is expected, not ${text.slice(0, 40)}`);
  return value as Record<string, unknown>;
}
