/** @file RAVDESS (Livingstone and Russo 2018): `MM-CC-EE-II-SS-RR-AA.wav`, 24 actors, odd numbers are men. */
import type { Utterance } from "@emosllm/interfaces";
import type { LoaderOptions } from "../loader.ts";
import { type NameReading, byFilename } from "./by-filename.ts";

export interface RavdessOptions extends LoaderOptions {
  /** Which vocal channels. Default `["speech"]`. */
  channels?: readonly ("speech" | "song")[];
}

/** `EE` from 01. */
const EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"];
const STATEMENTS = ["Kids are talking by the door", "Dogs are sitting by the door"];
const NAME = /^0([1-3])-0([12])-0([1-8])-0([12])-0([12])-0([12])-(0[1-9]|1\d|2[0-4])$/;

function reading(stem: string, channels: readonly string[]): NameReading | "skip" | undefined {
  const m = NAME.exec(stem);
  if (!m) return undefined;
  const [, , channel, emotion, intensity, statement, repetition, actor] = m as unknown as string[];
  const vocal = channel === "1" ? "speech" : "song";
  if (!channels.includes(vocal)) return "skip";
  return {
    text: STATEMENTS[Number(statement) - 1],
    speaker: actor,
    gender: Number(actor) % 2 === 1 ? "male" : "female",
    label: EMOTIONS[Number(emotion) - 1],
    language: "en",
    attributes: {
      vocal_channel: vocal,
      intensity: intensity === "1" ? "normal" : "strong",
      statement: `0${statement}`,
      repetition: `0${repetition}`,
    },
  };
}

/** The audio files of RAVDESS; labels are the release's words (`neutral`, `calm`, ..., `disgust`, `surprised`). */
export function ravdess(root: string, options: RavdessOptions = {}): AsyncGenerator<Utterance> {
  const { channels = ["speech"] } = options;
  const spec = { corpus: "ravdess", example: "03-01-06-01-02-01-12.wav", read: (s: string) => reading(s, channels) };
  return byFilename(root, spec, options);
}
