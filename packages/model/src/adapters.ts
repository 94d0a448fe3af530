/** @file Several adapters on a bundle's language model: read, named, and chosen row by row. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { ModelFunctions } from "@emosllm/backbones";
import { type Dim, gather, input } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type LoadedAdapter, adaptPerRow, loadAdapter } from "@emosllm/lora";
import { type HostTensor, f32 } from "@emosllm/runtime";
import type { EmoSllmParts } from "./assemble.ts";

/** Adapters beside the bundle's own, by name. */
export type NamedAdapters = ReadonlyMap<string, LoadedAdapter>;

/** An input's adapter: one by name, `null` for the language model as it was before training; left out: the bundle's own. */
export type AdapterChoice = string | null | undefined;

/** The input of a pass that says which adapter a token's row has. */
export const ADAPTER_INPUT = "adapter_choice";

/**
 * Reads folders as PEFT writes them, by name. Throws EmosllmError `usage` for a folder that is a bundle, and as `loadAdapter`.
 */
export async function readAdapters(
  folders: Readonly<Record<string, string>>,
  { languageModel }: Pick<EmoSllmParts, "languageModel">,
): Promise<NamedAdapters> {
  const base = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const adapters = new Map<string, LoadedAdapter>();
  for (const [name, folder] of Object.entries(folders)) {
    if (await stat(join(folder, "emosllm.json")).catch(() => undefined))
      throw new EmosllmError(
        "usage",
        `adapters.${name}: ${folder} is a bundle with a projector of its own; load it by itself, or give ${join(folder, "adapter")} to hear through this bundle's projector`,
      );
    adapters.set(name, await loadAdapter(folder, base));
  }
  return adapters;
}

/** The index that a row's choice is fed as. Throws EmosllmError `usage` for a name that is not there. */
export function adapterIndex(adapters: NamedAdapters, choice: AdapterChoice, at: number): number {
  if (choice === undefined) return 0;
  if (choice === null) return -1;
  const index = [...adapters.keys()].indexOf(choice);
  if (index >= 0) return index + 1;
  const known = [...adapters.keys()];
  throw new EmosllmError(
    "usage",
    `Input ${at} asks for the adapter '${choice}'; ${known.length > 0 ? `there are ${known.join(", ")}` : "none were loaded (option 'adapters')"}. Left out it is the bundle's own, null is none.`,
  );
}

const named = (name: string, tensor: string): string => `adapters.${name}.${tensor}`;

/** What a program is fed of them. */
export const adapterParameters = (adapters: NamedAdapters): Record<string, HostTensor> =>
  Object.fromEntries(
    [...adapters].flatMap(([name, { tensors }]) =>
      [...tensors].map(([tensor, t]) => [named(name, tensor), f32(t.data, t.shape)] as const),
    ),
  );

/** The language model over a cache, where each token's row has the adapter that {@link ADAPTER_INPUT} says: 0 the bundle's own, then the others. */
export function withAdapters({ languageModel, adapter }: EmoSllmParts, adapters: NamedAdapters): ModelFunctions {
  if (!adapter) throw new RangeError("internal: a bundle without an adapter");
  const names = [...adapters.keys()];
  const choice = input(ADAPTER_INPUT, ["tokens"], "i64");
  const asked = gather(choice, input("label_places", ["labels"], "i64"));
  return adaptPerRow(
    [adapter, ...[...adapters.values()].map((a) => a.adapter)],
    languageModel.checkpoint,
    languageModel,
    (index, tensor, shape) => input(index === 0 ? tensor : named(names[index - 1] as string, tensor), shape),
    (rows: Dim) => (rows === "labels" ? asked : choice),
  );
}
