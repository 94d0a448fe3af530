/** @file Ranges of files on disk, as onnxruntime maps them: relative to the file system's root, behind symlinks, and surely there. */
import { realpathSync, statSync } from "node:fs";
import { parse as parsePath, relative } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import type { FileRanges } from "./weight-source.ts";

interface MappedFile {
  /** Relative to the root. */
  readonly location: string;
  readonly size: number;
}

/** Looks each file up once. */
export function mappedFiles(): FileRanges {
  const folder = parsePath(process.cwd()).root;
  const files = new Map<string, MappedFile>();

  /**
   * Real path from the root: a Hugging Face snapshot is a folder of symlinks, which onnxruntime refuses to follow out of its
   * folder. The size is checked because a mapped file that is too short kills the process when it is read.
   */
  const find = (weight: string, file: string): MappedFile => {
    const known = files.get(file);
    if (known) return known;
    try {
      const real = realpathSync(file);
      const mapped = { location: relative(folder, real), size: statSync(real).size };
      files.set(file, mapped);
      return mapped;
    } catch (cause) {
      throw new EmosllmError("checkpoint_not_found", `The file of the weight '${weight}' cannot be opened: ${file}`, {
        cause,
      });
    }
  };

  return {
    folder,
    range: (weight, { file, offset, length }) => {
      const { location, size } = find(weight, file);
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > size)
        throw new EmosllmError(
          "checkpoint_invalid",
          `The weight '${weight}' lies at bytes ${offset} to ${offset + length} of ${file}, which has only ${size} bytes. Is the file cut off?`,
        );
      return { location, offset, length };
    },
  };
}
