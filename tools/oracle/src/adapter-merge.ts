/** @file Merged weights of a base in bf16 or f16 against PEFT's `merge_and_unload` (`peft_torch.py make --dtype bf16`), bit by bit. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSafetensors, openCheckpoint, readTensor } from "@emosllm/checkpoints";
import { mergeAdapter } from "@emosllm/lora";

/** How merged weights differ from PEFT's. */
export interface MergeBits {
  /** Values compared. */
  readonly values: number;
  /** Those whose bits differ. */
  readonly different: number;
  /** Largest distance in representable values: 1 is the neighbour. */
  readonly farthest: number;
}

/** A sum that lies between two values may round to either: neighbours at most, in one of a thousand values. */
export const bitsEqual = ({ values, different, farthest }: MergeBits): boolean =>
  values > 0 && farthest <= 1 && different <= Math.max(1, values / 1000);

const MERGED = "merged.";

/** Whether a golden holds merged weights. */
export const hasMerged = (golden: ReadonlyMap<string, unknown>): boolean =>
  [...golden.keys()].some((name) => name.startsWith(MERGED));

/** Merges one variant's adapter into shards, and compares every tensor. */
export async function replayMerge(folder: string, maxShardBytes = 20_000): Promise<MergeBits> {
  const golden = await loadSafetensors(join(folder, "golden.safetensors"));
  const scratch = await mkdtemp(join(tmpdir(), "emosllm-merge-"));
  try {
    const out = join(scratch, "merged");
    await mergeAdapter({ base: join(folder, "backbone"), adapter: join(folder, "adapter"), out, maxShardBytes });
    const { tensors } = await openCheckpoint(out);
    const bits = { values: 0, different: 0, farthest: 0 };
    for (const [key, wanted] of golden) {
      if (!key.startsWith(MERGED)) continue;
      const name = key.slice(MERGED.length);
      const source = tensors.get(name);
      // A tied output matrix is not stored beside the embeddings.
      if (!source && name === "lm_head.weight") continue;
      if (!source) throw new Error(`${folder}: nothing merged has the name '${name}'`);
      if (source.dtype !== wanted.dtype)
        throw new Error(`${folder}: '${name}' is ${source.dtype}, not ${wanted.dtype}`);
      const [ours, theirs] = [(await readTensor(source)) as Uint16Array, wanted.data as Uint16Array];
      bits.values += ours.length;
      ours.forEach((v, i) => {
        const apart = distance(v, theirs[i] as number);
        if (apart > 0) bits.different++;
        bits.farthest = Math.max(bits.farthest, apart);
      });
    }
    return bits;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Bits of a 16-bit float as a whole number in the order of the values. */
const ordered = (bits: number): number => (bits & 0x8000 ? -(bits & 0x7fff) : bits);
const distance = (a: number, b: number): number => Math.abs(ordered(a) - ordered(b));
