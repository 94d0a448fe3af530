/** @file Writes files of a synthetic corpus and keeps the counts that a correct loader must find. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ProblemCode } from "../problems.ts";
import { syllables, wavFile } from "./sound.ts";

/** What was written, and what a correct loader and auditor find in it. */
export interface SyntheticCorpus {
  root: string;
  utterances: number;
  /** By raw label code. */
  labels: Record<string, number>;
  /** By true speaker. */
  speakers: Record<string, number>;
  /** Problems that the loader reports, by code. */
  problems: Partial<Record<ProblemCode, number>>;
  /** Problems that only reading the sound files shows, by code. */
  audioProblems: Partial<Record<ProblemCode, number>>;
}

export interface SyntheticOptions {
  /** Includes the release's known oddities and broken files. Default true. */
  quirks?: boolean;
  /** Default 0. */
  seed?: number;
  /** Of each clip. Default 0.4 s; `0` writes no sound but one shared tiny file per clip. */
  seconds?: number;
}

/** Collects the files and expectations of one corpus. */
export class Tree {
  readonly corpus: SyntheticCorpus;
  readonly #seconds: number;
  readonly #seed: number;
  #clips = 0;

  constructor(root: string, options: SyntheticOptions) {
    this.corpus = { root, utterances: 0, labels: {}, speakers: {}, problems: {}, audioProblems: {} };
    this.#seconds = options.seconds ?? 0.4;
    this.#seed = options.seed ?? 0;
  }

  file(path: string, content: string | Uint8Array): void {
    const full = join(this.corpus.root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }

  /** A new clip unlike all others. */
  sound(seconds: number = this.#seconds, sampleRate = 16000, channels = 1): Buffer {
    const seed = this.#seed * 100_003 + this.#clips++;
    return wavFile(
      Array.from({ length: channels }, (_, c) => syllables(seed * 8 + c, seconds, sampleRate)),
      sampleRate,
    );
  }

  clip(path: string, sampleRate = 16000): void {
    this.file(path, this.#seconds === 0 ? "" : this.sound(this.#seconds, sampleRate));
  }

  expect(label: string | undefined, speaker: string | undefined): void {
    this.corpus.utterances++;
    if (label !== undefined) this.corpus.labels[label] = (this.corpus.labels[label] ?? 0) + 1;
    if (speaker !== undefined) this.corpus.speakers[speaker] = (this.corpus.speakers[speaker] ?? 0) + 1;
  }

  problem(code: ProblemCode, count = 1): void {
    this.corpus.problems[code] = (this.corpus.problems[code] ?? 0) + count;
  }

  audioProblem(code: ProblemCode, count = 1): void {
    this.corpus.audioProblems[code] = (this.corpus.audioProblems[code] ?? 0) + count;
  }
}

/** What macOS leaves beside each file on foreign disks. */
export const APPLE_DOUBLE: Buffer = Buffer.from([0x00, 0x05, 0x16, 0x07, 0x00, 0x02, 0x00, 0x00, 0x4d, 0x61, 0x63]);
