/** @file What the command line names as sound: files, folders, manifests and corpora, bytes from stdin, lists of paths. */
import type { Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { createReadStream } from "node:fs";
import { type AudioSource, loadSpeech } from "@emosllm/audio-features";
import { CORPORA, openCorpus } from "@emosllm/datasets";
import { type AudioClip, EmosllmError } from "@emosllm/interfaces";
import { clipSpeech } from "../clip-speech.ts";

/** One clip to judge. */
export interface PredictionInput {
  /** What messages and output call it. */
  readonly file: string;
  /** The utterance's id, where a manifest says one. */
  readonly id?: string | undefined;
  readonly audio: AudioClip | string | "-";
  readonly transcript?: string | undefined;
}

/** File name endings that are taken from a folder; a file that is named itself may have any. */
const ENDINGS: ReadonlySet<string> = new Set(
  "wav flac mp3 ogg oga opus m4a mp4 aac aif aiff amr au caf mkv webm".split(" ").map((e) => `.${e}`),
);
/** Files that list utterances, by ending. */
const MANIFESTS: Readonly<Record<string, string>> = {
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".csv": "csv",
  ".tsv": "csv",
  ".parquet": "parquet",
};

/**
 * The clips that `words` name, in order; nothing is decoded. Throws EmosllmError `corpus_not_found`, `corpus_invalid` for a manifest
 * that is none; a missing file is given as it is, and fails when it is read.
 */
export async function* predictionInputs(words: readonly string[]): AsyncGenerator<PredictionInput> {
  for (const word of words) {
    if (word === "-") {
      yield { file: "stdin", audio: "-" };
      continue;
    }
    const found: Stats | undefined = await stat(word).catch(() => undefined);
    const corpus = found ? undefined : /^([a-z-]+):/.exec(word)?.[1];
    const manifest = found?.isFile() ? MANIFESTS[extname(word).toLowerCase()] : undefined;
    if (found?.isDirectory()) yield* folder(word);
    else if (manifest) yield* corpusInputs(`${manifest}:${word}`);
    else if (corpus && Object.hasOwn(CORPORA, corpus)) yield* corpusInputs(word);
    else yield { file: word, audio: word };
  }
}

async function* folder(path: string): AsyncGenerator<PredictionInput> {
  let count = 0;
  const walk = async function* (at: string): AsyncGenerator<PredictionInput> {
    const entries = await readdir(at, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = join(at, entry.name);
      if (entry.name.startsWith(".")) continue; // macOS writes ._NAME.wav beside files, which are no sound
      if (entry.isDirectory()) yield* walk(file);
      else if (ENDINGS.has(extname(file).toLowerCase())) {
        count++;
        yield { file, audio: file };
      }
    }
  };
  yield* walk(path);
  if (count === 0)
    throw new EmosllmError("audio_decode", `${path}: no sound file in this folder (${[...ENDINGS].join(" ")})`);
}

async function* corpusInputs(reference: string): AsyncGenerator<PredictionInput> {
  for await (const { id, audio, text } of openCorpus(reference))
    yield {
      file: audio.member === undefined ? audio.path : `${audio.path}#${audio.member}`,
      id,
      audio,
      transcript: text,
    };
}

/** Lines of a file, or of stdin for `-`; empty ones are passed over. */
export async function listedPaths(list: string): Promise<string[]> {
  const input = list === "-" ? process.stdin : createReadStream(list);
  const paths: string[] = [];
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) if (line.trim() !== "") paths.push(line);
  } catch (cause) {
    throw new EmosllmError("usage", `--list ${list}: ${(cause as Error).message}`, { cause });
  }
  return paths;
}

/** Mono samples of an input at `sampleRate` Hz. Throws EmosllmError `audio_*`, naming the file. */
export async function inputSpeech({ file, audio }: PredictionInput, sampleRate: number): Promise<Float32Array> {
  if (audio === "-") return loadSpeech(process.stdin as AudioSource, { sampleRate, name: file });
  if (typeof audio === "string") return loadSpeech(audio, { sampleRate });
  return clipSpeech(audio, file, sampleRate);
}
