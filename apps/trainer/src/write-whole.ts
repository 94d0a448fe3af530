/** @file Writes a text file whole or not at all. */
import { rename, rm, writeFile } from "node:fs/promises";

/** Writes to a temporary name first, so that a reader never sees half a file; what was there stays when it fails. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
