/** @file What became of one item, whatever was thrown. */
import { EmosllmError } from "@emosllm/interfaces";
import { TooLongError } from "./decode.ts";
import type { ItemResult, TaskKind, Tasks } from "./tasks.ts";

/** An item that was refused, under the code of its error. */
export function refused(error: unknown): ItemResult<never> {
  const code = error instanceof EmosllmError || error instanceof TooLongError ? error.code : "internal";
  return { ok: false, error: { code, message: error instanceof Error ? error.message : String(error) } };
}

/** Runs `work` for one item. */
export async function settled<K extends TaskKind>(work: () => Promise<Tasks[K]["output"]>): Promise<ItemResult<K>> {
  try {
    return { ok: true, output: await work() };
  } catch (error) {
    return refused(error);
  }
}
