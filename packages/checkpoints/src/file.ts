/** @file Reading byte ranges and publishing whole files. */
import { randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { invalid } from "./errors.ts";

/** Linux moves at most 2^31 - 4096 bytes in one call. */
const MAX_CALL = 1 << 30;

/** Reads `length` bytes at `offset`, or throws `checkpoint_invalid` where the file ends first. */
export async function readExactly(handle: FileHandle, file: string, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.from(new ArrayBuffer(length));
  await readInto(handle, file, offset, buffer);
  return buffer;
}

/** Fills `target` with the bytes at `offset`. */
export async function readInto(handle: FileHandle, file: string, offset: number, target: Uint8Array): Promise<void> {
  for (let done = 0; done < target.length;) {
    const { bytesRead } = await handle.read(target, done, Math.min(MAX_CALL, target.length - done), offset + done);
    if (bytesRead === 0)
      throw invalid({ file, byte: offset + done }, `the file ends here; ${target.length - done} bytes are missing`);
    done += bytesRead;
  }
}

/** Writes all of `bytes` at `offset`. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(MAX_CALL, bytes.length - done), offset + done);
    done += bytesWritten;
  }
}

/** A name beside `file` that no other process uses. */
export const temporaryName = (file: string): string => `${file}.${process.pid}.${randomBytes(6).toString("hex")}.tmp`;

/**
 * Writes a file so that it is there completely or not at all: a temporary name beside it, fsync, rename, fsync of the folder.
 * A memory map of an older file of that name stays valid.
 *
 * @throws `disk_full` when there is no room; the temporary file is gone in any case.
 */
export async function publish(
  file: string,
  write: (handle: FileHandle, temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(file);
  try {
    const handle = await open(temporary, "wx");
    try {
      await write(handle, temporary);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (cause) {
    await rm(temporary, { force: true });
    if (["ENOSPC", "EDQUOT"].includes((cause as NodeJS.ErrnoException).code ?? ""))
      throw new EmosllmError("disk_full", `${file}: no space left on the device`, { cause, details: { file } });
    throw cause;
  }
}

/** Makes a rename survive a power cut, where the system allows it (Windows does not open folders). */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch {
    // Some network file systems refuse to sync a folder; the file itself is safe.
  } finally {
    await handle.close();
  }
}
