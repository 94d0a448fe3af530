/** @file Looks at a clip's header: is it there, how long is it, how many channels, is it broken. */
import { type FileHandle, open } from "node:fs/promises";
import type { AudioClip } from "@emosllm/interfaces";
import { readClipBytes } from "./clip-bytes.ts";
import type { ProblemCode } from "./problems.ts";
import { HeaderError, type ReadAt, type SoundHeader, soundHeader } from "./wav.ts";

/** What a look at a clip gives. `header` is undefined for formats whose header is not read here (flac, mp3, ...). */
export type Probe =
  | { header: SoundHeader | undefined; bytes: number }
  | { code: Extract<ProblemCode, "audio_missing" | "audio_empty" | "audio_corrupt">; message: string };

/** Reads a clip's header only. */
export async function probeClip(clip: AudioClip): Promise<Probe> {
  if (clip.container !== undefined && clip.byteOffset === undefined) {
    try {
      return await probeBytes(await readClipBytes(clip), clip.member);
    } catch (error) {
      return { code: "audio_missing", message: (error as Error).message };
    }
  }
  let file: FileHandle;
  try {
    file = await open(clip.path);
  } catch (error) {
    return { code: "audio_missing", message: `cannot be opened: ${(error as NodeJS.ErrnoException).code ?? error}` };
  }
  try {
    const info = await file.stat();
    if (!info.isFile()) return { code: "audio_missing", message: "no file" };
    const from = clip.byteOffset ?? 0;
    const size = Math.max(0, Math.min(clip.byteLength ?? info.size, info.size - from));
    return await look(
      async (offset, length) => {
        const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
        const { bytesRead } = await file.read(bytes, 0, bytes.length, from + offset);
        return bytes.subarray(0, bytesRead);
      },
      size,
      clip.member ?? clip.path,
    );
  } finally {
    await file.close();
  }
}

/** The same for bytes in memory. */
export function probeBytes(bytes: Uint8Array, name = ""): Promise<Probe> {
  return look(async (offset, length) => bytes.subarray(offset, offset + length), bytes.length, name);
}

async function look(readAt: ReadAt, size: number, name: string): Promise<Probe> {
  if (size === 0) return { code: "audio_empty", message: "a file of 0 bytes" };
  try {
    const header = await soundHeader(readAt, size);
    const promised = /\.(wav|mp4|m4a)$/i.exec(name)?.[1];
    if (!header && promised !== undefined)
      return { code: "audio_corrupt", message: `no ${promised.toLowerCase()} file, whatever its name says` };
    if (header?.frames === 0) return { code: "audio_empty", message: "a header without samples" };
    return { header, bytes: size };
  } catch (error) {
    if (error instanceof HeaderError || error instanceof RangeError)
      return { code: "audio_corrupt", message: (error as Error).message };
    throw error;
  }
}
