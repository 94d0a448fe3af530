/**
 * @file Checkpoints: `checkpoint-N/` is a bundle with `optimizer.safetensors` and `trainer_state.json`, there completely or not at all.
 * `last` is a link to the newest. A folder is taken away by renaming it first, so that no half checkpoint bears a name.
 */
import { existsSync } from "node:fs";
import { readFile, readdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type StoredTensor, loadSafetensors, writeSafetensors } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { type LoraAdapter, trainedHalf } from "@emosllm/lora";
import { ENCODER_PREFIX, PROJECTOR_PREFIX, checkBundleFiles } from "@emosllm/model";
import type { HostTensor } from "@emosllm/runtime";
import type { TrainerState } from "./trainer-state.ts";

const OPTIMIZER = "optimizer.safetensors";
const STATE = "trainer_state.json";

type Tensors = Readonly<Record<string, HostTensor<"f32">>>;

/** Name of the checkpoint of a step. */
export const checkpointName = (step: number): string => `checkpoint-${step}`;

/** Steps of the checkpoints in a folder, oldest first. */
export async function checkpointSteps(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return names
    .flatMap((name) => /^checkpoint-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Adds optimiser and state to a checkpoint that is being written; `raw` are trained values where the bundle holds their means. */
export async function writeTrainerFiles(
  folder: string,
  state: TrainerState,
  optimiser: Tensors,
  raw: Tensors | undefined,
): Promise<void> {
  const tensors = new Map<string, StoredTensor>(
    [
      ...Object.entries(optimiser),
      ...Object.entries(raw ?? {}).map(([name, t]): [string, HostTensor<"f32">] => [`parameter.${name}`, t]),
    ].map(([name, t]) => [name, { dtype: "f32", shape: t.shape, data: t.data }]),
  );
  await writeSafetensors(join(folder, OPTIMIZER), tensors);
  await writeFile(join(folder, STATE), `${JSON.stringify(state)}\n`);
}

/** A checkpoint read back. */
export interface ReadCheckpoint {
  readonly folder: string;
  readonly state: TrainerState;
  /** Trained values to go on from, by name. */
  readonly values: ReadonlyMap<string, StoredTensor>;
  /** As the bundle holds them: the means, where they are kept. */
  readonly bundleValues: ReadonlyMap<string, StoredTensor>;
  readonly optimiser: ReadonlyMap<string, StoredTensor>;
}

/** The state of a checkpoint alone. Throws EmosllmError `checkpoint_invalid`. */
export async function readState(folder: string): Promise<TrainerState> {
  try {
    return JSON.parse(await readFile(join(folder, STATE), "utf8")) as TrainerState;
  } catch (cause) {
    throw damaged(folder, `${STATE}: ${(cause as Error).message}`, cause);
  }
}

/** Reads a checkpoint. Throws EmosllmError `checkpoint_invalid` saying which file is damaged and how to go on. */
export async function readCheckpoint(folder: string, adapter: LoraAdapter | undefined): Promise<ReadCheckpoint> {
  const state = await readState(folder);
  try {
    await checkBundleFiles(folder);
    const [projector, saved, own] = await Promise.all(
      ["projector.safetensors", "adapter/adapter_model.safetensors", OPTIMIZER].map((f) =>
        loadSafetensors(join(folder, f)),
      ),
    );
    const bundleValues = trainedForm(adapter, saved as Map<string, StoredTensor>);
    for (const [name, t] of projector ?? []) bundleValues.set(PROJECTOR_PREFIX + name, t);
    const encoder = join(folder, "adapter_encoder/adapter_model.safetensors");
    if (existsSync(encoder))
      for (const [name, t] of await loadSafetensors(encoder))
        bundleValues.set(PROJECTOR_PREFIX + ENCODER_PREFIX + name, t);
    const optimiser = new Map(own);
    const values = new Map(bundleValues);
    for (const [name, t] of optimiser)
      if (name.startsWith("parameter.")) {
        values.set(name.slice("parameter.".length), t);
        optimiser.delete(name);
      }
    return { folder, state, values, bundleValues, optimiser };
  } catch (cause) {
    throw damaged(folder, (cause as Error).message, cause);
  }
}

/** A bundle holds PiSSA and OLoRA as plain LoRA; training goes on with the half that is trained. */
function trainedForm(
  adapter: LoraAdapter | undefined,
  saved: ReadonlyMap<string, StoredTensor>,
): Map<string, StoredTensor> {
  if (!adapter?.initial) return new Map(saved);
  const values = [...trainedHalf(adapter, saved)].map(
    ([name, data]) => [name, { dtype: "f32", shape: adapter.parameters[name] ?? [], data }] as const,
  );
  return new Map(values);
}

const damaged = (folder: string, what: string, cause: unknown): EmosllmError =>
  new EmosllmError(
    "checkpoint_invalid",
    `${folder} is damaged: ${what}. Delete the folder to go on from the checkpoint before it`,
    { cause },
  );

/** Copies tensors into memory of the same names and shapes. Throws EmosllmError `checkpoint_invalid` for one that is missing or of another shape. */
export function restoreTensors(into: Tensors, from: ReadonlyMap<string, StoredTensor>, where: string): void {
  for (const [name, t] of Object.entries(into)) {
    const saved = from.get(name);
    if (!saved || saved.shape.join() !== t.shape.join())
      throw new EmosllmError(
        "checkpoint_invalid",
        `${where}: '${name}' ${saved ? `has shape [${saved.shape.join(", ")}]` : "is missing"}, needed is [${t.shape.join(", ")}]`,
      );
    t.data.set(saved.data as Float32Array);
  }
}

/** Makes `name` a link to a folder beside it, at once. Where links to folders are not allowed (Windows), there is none. */
export async function linkTo(folder: string, name: string, target: string): Promise<void> {
  const link = join(folder, name);
  if ((await readlink(link).catch(() => undefined)) === target) return;
  const temporary = join(folder, `.${name}.${process.pid}.tmp`);
  await rm(temporary, { recursive: true, force: true });
  try {
    // Windows lets everyone make junctions, whose target is absolute.
    await symlink(process.platform === "win32" ? resolve(folder, target) : target, temporary, "junction");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EPERM") return;
    throw cause;
  }
  await removeFolderUnlessLink(folder, name);
  await rename(temporary, link);
}

async function removeFolderUnlessLink(folder: string, name: string): Promise<void> {
  if ((await readlink(join(folder, name)).catch((e: NodeJS.ErrnoException) => e.code)) === "EINVAL")
    await removeWhole(folder, name);
}

/** Takes a folder away so that its name never stands for a part of it. */
export async function removeWhole(folder: string, name: string): Promise<void> {
  const aside = join(folder, `.${name}.${process.pid}.tmp`);
  await rm(aside, { recursive: true, force: true });
  try {
    await rename(join(folder, name), aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw cause;
  }
  await rm(aside, { recursive: true, force: true });
}

/** Leaves the newest `keep` checkpoints, and those of `also`. */
export async function pruneCheckpoints(folder: string, keep: number, also: readonly (number | null)[]): Promise<void> {
  const steps = await checkpointSteps(folder);
  for (const step of steps.slice(0, Math.max(0, steps.length - keep)))
    if (!also.includes(step)) await removeWhole(folder, checkpointName(step));
}
