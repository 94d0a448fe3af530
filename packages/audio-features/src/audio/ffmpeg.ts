/** @file The system's ffmpeg, where there is one, for what no decoder here reads (AAC, MP4, Matroska, ...). It is a program of its own; nothing of it is linked. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { frameRange, type TimeRange } from "./range.ts";
import type { AudioFormat } from "./sniff.ts";
import type { Sound } from "./sound.ts";
import { type ByteSource, decodeError, openSource } from "./source.ts";
import { decodeWav } from "./wav.ts";
import { readWavHeader } from "./wav-header.ts";

/** ffmpeg's name for the container; naming it keeps ffmpeg from guessing playlists and other files that name further files. */
export const DEMUXERS: { readonly [K in AudioFormat]: string } = {
  wav: "wav",
  flac: "flac",
  mp3: "mp3",
  "ogg-vorbis": "ogg",
  "ogg-opus": "ogg",
  "ogg-other": "ogg",
  aac: "aac",
  mp4: "mov",
  matroska: "matroska",
  aiff: "aiff",
  amr: "amr",
  au: "au",
  caf: "caf",
};

/** Milliseconds without any output after which ffmpeg is taken to hang. */
const STALL_MS = 30_000;
const STDERR_LIMIT = 2000;

let found: Promise<string | undefined> | undefined;

/** The ffmpeg that is used: `EMOSLLM_FFMPEG` or `ffmpeg` on the path; undefined where neither runs. Looked for once. */
export function findFfmpeg(): Promise<string | undefined> {
  found ??= (async () => {
    const program = process.env["EMOSLLM_FFMPEG"] ?? "ffmpeg";
    const { code } = await runProgram(program, ["-v", "quiet", "-version"], 1e6).catch(() => ({ code: -1 }));
    return code === 0 ? program : undefined;
  })();
  return found;
}

/**
 * Decodes the first audio track of `source` with ffmpeg, up to the end of `range`.
 * @throws EmosllmError `audio_unsupported` without ffmpeg (saying how to get it), `audio_decode` with ffmpeg's own reason.
 */
export async function decodeWithFfmpeg(
  source: ByteSource,
  format: AudioFormat,
  range: TimeRange & { maxSamples: number },
): Promise<Sound> {
  const program = await findFfmpeg();
  if (!program)
    throw new EmosllmError(
      "audio_unsupported",
      `${source.name}: ${format} needs ffmpeg, which was not found; install it (e.g. apt-get install ffmpeg, brew install ffmpeg), ` +
        "name it in EMOSLLM_FFMPEG, or convert the file to WAV or FLAC",
    );
  if (source.path) return decodeFile(program, source, source.path, format, range);
  // ffmpeg must be able to seek: many MP4 files have their index at the end.
  const folder = await mkdtemp(join(tmpdir(), "emosllm-audio-"));
  try {
    const path = join(folder, "input");
    await writeFile(path, await source.read(0, source.size));
    return await decodeFile(program, source, path, format, range);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function decodeFile(
  program: string,
  source: ByteSource,
  path: string,
  format: AudioFormat,
  range: TimeRange & { maxSamples: number },
): Promise<Sound> {
  // Whole samples are cut here, not by ffmpeg, whose seeking depends on the container; a second more is asked for.
  const until = range.end === undefined ? [] : ["-t", String(range.end + 1)];
  const args = [
    ["-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-f", DEMUXERS[format], "-i", `file:${path}`],
    ["-map", "0:a:0", ...until, "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"],
  ].flat();
  const { code, stdout, stderr } = await runProgram(program, args, range.maxSamples * 4 + 65_536).catch(
    (cause: Error) => {
      throw decodeError(source, `ffmpeg: ${cause.message}`, cause);
    },
  );
  const reason = stderr.replaceAll(`file:${path}`, source.name).trim().split("\n").slice(0, 2).join("; ");
  if (code !== 0 || stdout.length === 0)
    throw decodeError(source, `ffmpeg cannot decode it: ${reason || `exit code ${code}, no sound`}`);
  await using output = await openSource(stdout, { name: source.name });
  const header = await readWavHeader(output);
  if ("compressed" in header) throw decodeError(source, "internal: ffmpeg gave compressed sound");
  frameRange(source, range, header.frames, header.sampleRate);
  return decodeWav(output, header, range);
}

function runProgram(
  program: string,
  args: readonly string[],
  maxBytes: number,
): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const parts: Buffer[] = [];
    let size = 0;
    let stderr = "";
    const stop = (reason: string): void => {
      child.kill("SIGKILL");
      reject(new Error(reason));
    };
    const stalled = (): void => stop(`no output for ${STALL_MS / 1000} s`);
    let timer = setTimeout(stalled, STALL_MS);
    child.stdout.on("data", (part: Buffer) => {
      clearTimeout(timer);
      timer = setTimeout(stalled, STALL_MS);
      size += part.length;
      if (size > maxBytes) stop(`more than ${maxBytes} bytes of sound (maxSamples)`);
      else parts.push(part);
    });
    child.stderr.on("data", (part: Buffer) => {
      if (stderr.length < STDERR_LIMIT) stderr += part.toString();
    });
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(cause);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: Buffer.concat(parts), stderr });
    });
  });
}
