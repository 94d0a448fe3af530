/** @file A worker thread: speaks the lines of one speaker after the other and writes the wav files. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parentPort } from "node:worker_threads";
import { record, SAMPLE_RATE } from "./sound.ts";
import { createSynthesiser } from "./synthesiser.ts";
import { randomOf } from "./random.ts";
import { resampler } from "./resample.ts";
import type { PlannedClip } from "./plan.ts";
import { SPEAKERS } from "./speakers.ts";
import { voiceRequest } from "./voice.ts";
import { wavBytes } from "./wav.ts";

/** One speaker's clips, in order, and the files to write. */
export interface Job {
  readonly seed: number;
  readonly clips: readonly { readonly clip: PlannedClip; readonly file: string }[];
}

/** What a worker answers: each finished clip, then that it is free again. */
export type Reply =
  | { readonly kind: "clip"; readonly turn: string; readonly seconds: number }
  | { readonly kind: "free" }
  | { readonly kind: "failed"; readonly message: string };

const starting = createSynthesiser();

async function work({ seed, clips }: Job, reply: (message: Reply) => void): Promise<void> {
  const synthesiser = await starting;
  const resample = resampler(synthesiser.sampleRate, SAMPLE_RATE);
  synthesiser.reset();
  for (const { clip, file } of clips) {
    const speaker = SPEAKERS.find((s) => s.id === clip.speaker);
    if (speaker === undefined) throw new Error(`internal: no speaker ${clip.speaker}`);
    const random = randomOf(`${seed}/sound/${clip.turn}`);
    const speech = resample(synthesiser.speak(voiceRequest(speaker, clip.text, clip.cues, random)));
    const samples = record(speech, speaker, clip.cues, random);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, wavBytes(samples, SAMPLE_RATE));
    reply({ kind: "clip", turn: clip.turn, seconds: samples.length / SAMPLE_RATE });
  }
}

const port = parentPort;
port?.on("message", (job: Job) => {
  const reply = (message: Reply): void => port.postMessage(message);
  work(job, reply).then(
    () => reply({ kind: "free" }),
    (error: unknown) => reply({ kind: "failed", message: error instanceof Error ? error.message : String(error) }),
  );
});
