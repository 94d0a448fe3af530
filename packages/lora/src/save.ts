/** @file Writes an adapter as PEFT does: `adapter_config.json` and `adapter_model.safetensors`. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type StoredTensor, f32ToBf16, f32ToF16, writeSafetensors } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import type { LoraAdapter } from "./adapter.ts";
import { loraConfigText } from "./config.ts";

/** Element types that an adapter may be stored in. */
export type AdapterDType = "f32" | "f16" | "bf16";

/** What {@link saveAdapter} writes. */
export interface AdapterContents {
  readonly adapter: LoraAdapter;
  /** In f32, by PEFT's names: exactly those of `adapter.parameters`. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Options of {@link saveAdapter}. */
export interface SaveAdapterOptions {
  /** f32 when not given, as PEFT trains. */
  readonly dtype?: AdapterDType;
}

const STORE: Readonly<Record<AdapterDType, (values: Float32Array) => Float32Array | Uint16Array>> = {
  f32: (values) => values,
  f16: f32ToF16,
  bf16: f32ToBf16,
};

/**
 * Writes into `folder` (made when it is not there; other files in it stay). Each file is written whole or not at all. Throws
 * EmosllmError `adapter_invalid` naming the tensors that are missing, too many or of another shape; `disk_full`.
 */
export async function saveAdapter(
  folder: string,
  { adapter, tensors }: AdapterContents,
  { dtype = "f32" }: SaveAdapterOptions = {},
): Promise<void> {
  const wanted = Object.entries(adapter.parameters);
  const wrong = [
    ...wanted.flatMap(([name, shape]) => {
      const t = tensors.get(name);
      if (!t) return [`missing: ${name}`];
      if (t.dtype !== "f32" || t.shape.join() !== shape.join())
        return [`${name} is ${t.dtype}[${t.shape.join(",")}], needed is f32[${shape.join(",")}]`];
      return [];
    }),
    ...[...tensors.keys()].filter((name) => !(name in adapter.parameters)).map((name) => `unexpected: ${name}`),
  ];
  if (wrong.length > 0)
    throw new EmosllmError(
      "adapter_invalid",
      `${folder}: the adapter cannot be written; ${wrong.slice(0, 5).join("; ")}`,
    );
  const stored = new Map<string, StoredTensor>(
    wanted.map(([name, shape]) => {
      const data = STORE[dtype](tensors.get(name)?.data as Float32Array);
      return [name, { dtype, shape, data }] as const;
    }),
  );
  for (const [copy, name] of adapter.copies) stored.set(copy, stored.get(name) as StoredTensor);
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, "adapter_model.safetensors"), stored, { format: "pt" });
  await writeTextWhole(join(folder, "adapter_config.json"), loraConfigText(adapter.config));
}

/** Writes to a temporary name, then renames. */
export async function writeTextWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    if ((cause as NodeJS.ErrnoException).code === "ENOSPC")
      throw new EmosllmError("disk_full", `${file}: the disk is full; it was not written`, { cause });
    throw cause;
  }
}
