/**
 * @file Draws the training batches of a stage. Every choice has a random stream of its own (`order ...`, `task`, `transcript dropout`, ...),
 * so that turning one on changes no other. Task, prompt and order of the labels are drawn for a batch, not for a row: rows with one
 * prompt share it, and it runs once.
 */
import { EmosllmError } from "@emosllm/interfaces";
import type { Frames } from "@emosllm/model";
import { type LabelWord, type PromptDefinition, drawPrompt, simulateTranscriptErrors } from "@emosllm/prompts";
import { type OrderState, type SampleOrder, type StreamSet, shuffledOrder } from "@emosllm/training";
import type { Task, TrainConfig } from "./config.ts";
import type { Sample } from "./data.ts";
import type { BadAudio } from "./frames.ts";
import { type RowContext, TASK_DEFINITIONS, type TaskRow } from "./tasks.ts";

/** Rows of one task that go through the model together. */
export interface DrawnBatch {
  readonly task: Task;
  /** Every answer is there, for the scored loss. */
  readonly scored: boolean;
  readonly rows: readonly TaskRow[];
  readonly samples: readonly Sample[];
  readonly prompt: string;
}

/** What batches are drawn from. */
export interface BatchSourceOptions {
  readonly config: TrainConfig;
  readonly samples: readonly Sample[];
  readonly prompts: Readonly<Record<Task, readonly PromptDefinition[]>>;
  readonly labels: readonly LabelWord[];
  readonly context: RowContext;
  readonly streams: StreamSet;
  /** Before the names of the streams; tells stages apart. */
  readonly prefix: string;
  readonly saved?: Readonly<Record<string, OrderState>> | undefined;
  /** Told of sound that could not be read; throws when it was too much. */
  readonly onBad: (bad: BadAudio) => void;
}

/** Gives batches without end. */
export interface BatchSource {
  next(): Promise<DrawnBatch>;
  /** Where the orders stand; the streams are saved by who made them. */
  orders(): Record<string, OrderState>;
}

/** Throws EmosllmError `corpus_invalid` for a task that no sample fits. */
export function batchSource(options: BatchSourceOptions): BatchSource {
  const { config, samples, prompts, labels, context, streams, prefix, saved = {}, onBad } = options;
  const weights = Object.entries(config.tasks).filter(([, w]) => (w as number) > 0) as [Task, number][];
  const orders = new Map<Task, SampleOrder<Sample>>();
  for (const [task] of weights) {
    const fitting = samples.filter(TASK_DEFINITIONS[task].fits);
    if (fitting.length === 0)
      throw new EmosllmError(
        "corpus_invalid",
        `tasks.${task}: no training utterance has what it needs (${NEEDS[task]}); there are ${samples.length} utterances`,
      );
    // The task of old configs keeps its stream's name.
    const name = `${prefix}order${task === "emotion" ? "" : ` ${task}`}`;
    const size = config.per_device_train_batch_size;
    const groups = config.group_by_length ? { size, length: (s: Sample) => s.length } : undefined;
    orders.set(task, shuffledOrder(fitting, { seed: config.seed, name, saved: saved[task], groups }));
  }
  const chance = (name: string, share: number): boolean => share > 0 && streams.get(prefix + name).next() < share;
  const number = (name: string): number => Math.floor(streams.get(prefix + name).next() * 2 ** 31);
  const vocabulary = [...new Set(samples.flatMap((s) => (s.utterance.text ?? "").split(/\s+/u)))].filter(
    (w) => w !== "",
  );

  const drawTask = (): Task => {
    if (weights.length === 1) return (weights[0] as [Task, number])[0];
    let at = streams.get(`${prefix}task`).next() * weights.reduce((n, [, w]) => n + w, 0);
    return (weights.find(([, w]) => (at -= w) < 0) ?? (weights.at(-1) as [Task, number]))[0];
  };

  const framesOf = async (sample: Sample, augmented: number | undefined): Promise<Frames | undefined> => {
    try {
      if (augmented === undefined) return await sample.frames();
      const list = config.augment.corruptions;
      return await sample.corruptedFrames([list[augmented % list.length] as (typeof list)[number]], augmented);
    } catch (error) {
      if (!(error instanceof EmosllmError) || !error.code.startsWith("audio_")) throw error;
      onBad({ id: sample.utterance.id, path: sample.utterance.audio.path, message: error.message });
      return undefined;
    }
  };

  return {
    async next() {
      const task = drawTask();
      const definition = TASK_DEFINITIONS[task];
      const { prompt, labels: order } = drawOf(prompts[task], labels, config, () => number("prompt"));
      // A task about the voice needs the sound; words alone can be asked only where there are words.
      const withAudio = !definition.closed || !chance("audio dropout", config.audio_dropout);
      const list = orders.get(task) as SampleOrder<Sample>;
      const slots = await Promise.all(
        list.take(config.per_device_train_batch_size).map(async (sample) => {
          const transcript = withAudio && chance("transcript dropout", config.transcript_dropout);
          const voice = withAudio && chance("voice dropout", config.voice_dropout);
          const errors = chance("transcript errors", config.transcript_errors.share)
            ? number("error seeds")
            : undefined;
          const augmented = chance("augment", config.augment.share) ? number("augment seeds") : undefined;
          return {
            transcript,
            voice,
            errors,
            augmented,
            sample,
            frames: withAudio ? await framesOf(sample, augmented) : undefined,
          };
        }),
      );
      const rows: TaskRow[] = [];
      const used: Sample[] = [];
      for (const slot of slots) {
        let { sample, frames } = slot;
        // What cannot be heard gives its place to the next in order; after a whole round of them there is none.
        if (withAudio)
          for (let left = list.size; !frames; left--) {
            if (left === 0)
              throw new EmosllmError(
                "corpus_invalid",
                `tasks.${task}: none of its ${list.size} training utterances can be heard; the last: ${sample.utterance.audio.path}`,
              );
            [sample] = list.take(1) as [Sample];
            frames = await framesOf(sample, slot.augmented);
          }
        const { text } = sample.utterance;
        const heard =
          slot.errors === undefined || text === undefined
            ? text
            : simulateTranscriptErrors([text], { wer: config.transcript_errors.wer, seed: slot.errors, vocabulary })
                .transcripts[0];
        const draw = {
          prompt,
          labels: order,
          audio: withAudio,
          transcript: slot.transcript ? undefined : heard,
          voice: slot.voice ? undefined : sample.voice,
          frames,
        };
        rows.push(definition.row(sample, draw, context, definition.closed && config.emotion_loss === "scored"));
        used.push(sample);
      }
      return {
        task,
        scored: definition.closed && config.emotion_loss === "scored",
        rows,
        samples: used,
        prompt: prompt.name,
      };
    },
    orders: () => Object.fromEntries([...orders].map(([task, order]) => [task, order.state()])),
  };
}

const NEEDS: Readonly<Record<Task, string>> = {
  emotion: "a label of the scheme",
  transcription: "a transcript",
  description: "the voice in words",
  dimensional: "a rating of valence, activation or dominance",
};

/** A prompt and an order of the labels; nothing is drawn where there is no choice. */
function drawOf(
  prompts: readonly PromptDefinition[],
  labels: readonly LabelWord[],
  { shuffle_labels: order }: TrainConfig,
  seed: () => number,
): { prompt: PromptDefinition; labels: readonly LabelWord[] } {
  if (prompts.length === 1 && !order) return { prompt: prompts[0] as PromptDefinition, labels };
  return drawPrompt(prompts, labels, seed(), "batch", { order });
}
