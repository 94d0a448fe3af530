/** @file One realtime session without its socket: sound in, messages out, in order; it outlives a socket that breaks. */
import { randomUUID } from "node:crypto";
import { createResampler } from "@emosllm/audio-features";
import { type SpeechWindow, createSpeechWindows, createTimeline } from "@emosllm/model";
import { ServiceError, toServiceError } from "../errors.ts";
import type { ModelInfo } from "../pool/tasks.ts";
import { ranked } from "../routes/emotions.ts";
import type { Service } from "../service.ts";
import type { ServerMessage, StartMessage } from "./messages.ts";
import { pcmReader } from "./pcm.ts";

/** Seconds that a decision about speech waits for: the price of a known noise floor. */
const LOOKAHEAD = 0.25;
/** Messages that are kept for a socket that comes back. */
const KEPT = 500;
/** Windows that may be under way; with more, no more sound is read. */
const MOST_PENDING = 8;
const RETRIES = 5;
const RETRY_MS = 200;

type Numbered = Extract<ServerMessage, { seq: number }>;
type WithoutNumber<M> = M extends unknown ? Omit<M, "seq"> : never;

/** See the file comment. */
export interface Session {
  readonly id: string;
  readonly model: ModelInfo;
  /** Samples that have arrived, at the caller's rate. */
  readonly received: number;
  /** Whether no more sound should be sent for now. */
  readonly busy: boolean;
  /** Sound; resolves when more may be sent. Throws ServiceError `invalid_request` for samples that are not finite. */
  push(bytes: Uint8Array): Promise<void>;
  /** The end of the sound; resolves when everything was said. */
  stop(): Promise<void>;
  /** Says everything after message number `last`, now and from now on. */
  listen(last: number, say: (message: Numbered) => void): void;
  /** Nobody listens any more. */
  mute(): void;
}

/** Opens a session; `model` is the chosen one. */
export function openSession(service: Service, model: ModelInfo, start: StartMessage): Session {
  const { pool, options, metrics } = service;
  const reader = pcmReader(start.encoding);
  const resampler =
    start.sample_rate === model.sampleRate ? undefined : createResampler(start.sample_rate, model.sampleRate);
  const windows = createSpeechWindows(model.sampleRate, {
    window: start.window,
    hop: Math.min(start.hop, start.window),
    lookahead: LOOKAHEAD,
  });
  const timeline = createTimeline(model.labels, { abstainBelow: model.abstainBelow, resolution: start.hop });
  const kept: Numbered[] = [];
  let say: ((message: Numbered) => void) | undefined;
  let [seq, received, pending] = [0, 0, 0];
  let tail: Promise<void> = Promise.resolve();
  let wakers: (() => void)[] = [];

  const full = (): boolean => pending >= MOST_PENDING;
  const tell = (message: WithoutNumber<Numbered>): void => {
    const numbered = { ...message, seq: ++seq } as Numbered;
    kept.push(numbered);
    if (kept.length > KEPT) kept.shift();
    say?.(numbered);
  };
  const segments = (found: ReturnType<typeof timeline.flush>): void => {
    for (const { probabilities, ...rest } of found) tell({ type: "segment", ...rest, emotions: ranked(probabilities) });
  };

  /** A full queue passes; the session waits a little instead of giving up. */
  async function judge({ samples }: SpeechWindow, left = RETRIES): Promise<Readonly<Record<string, number>>> {
    try {
      const { output } = await pool.submit(
        model.id,
        "score",
        {
          audio: { samples, sampleRate: model.sampleRate },
          voice: "none",
          limits: { maxSeconds: options.limits.seconds, maxSamples: options.limits.samples },
        },
        { deadlineMs: options.deadlineMs },
      );
      return output.probabilities;
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== "queue_full" || left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      return judge({ samples } as SpeechWindow, left - 1);
    }
  }

  function enqueue(window: SpeechWindow): void {
    const { region, start: from, end } = window;
    const began = performance.now();
    pending++;
    const judged = judge(window);
    // Answers are told in the order of the sound.
    judged.catch(() => undefined);
    tail = tail.then(async () => {
      try {
        const probabilities = await judged;
        const emotions = ranked(probabilities);
        const best = emotions[0];
        const abstain = model.abstainBelow !== null && (best?.score ?? 0) < model.abstainBelow;
        tell({ type: "window", start: from, end, label: abstain ? null : (best?.label ?? null), emotions });
        segments(timeline.push({ region, start: from, end, probabilities }));
        metrics.audio(model.id, end - from, (performance.now() - began) / 1000, 0);
      } catch (error) {
        tell({ type: "skipped", start: from, end, code: toServiceError(error).code });
      } finally {
        pending--;
        for (const wake of wakers.splice(0)) wake();
      }
    });
  }

  return {
    id: randomUUID(),
    model,
    get received() {
      return received;
    },
    get busy() {
      return full();
    },
    async push(bytes) {
      const samples = reader(bytes);
      received += samples.length;
      const own = resampler ? resampler.push(samples) : samples;
      if (own.length > 0) for (const window of windows.push(own)) enqueue(window);
      while (full()) await new Promise<void>((resolve) => wakers.push(resolve));
    },
    async stop() {
      const rest = resampler?.flush();
      if (rest && rest.length > 0) for (const window of windows.push(rest)) enqueue(window);
      for (const window of windows.flush()) enqueue(window);
      await tail;
      segments(timeline.flush());
      tell({ type: "done", audio_seconds: received / start.sample_rate });
    },
    listen(last, hear) {
      say = hear;
      for (const message of kept) if (message.seq > last) hear(message);
    },
    mute() {
      say = undefined;
    },
  };
}
