/** @file `pipeline("audio-emotion", model)` as users of transformers.js know pipelines: an async factory that gives a callable. */
import { EmosllmError } from "@emosllm/interfaces";
import type { EmotionAnswer } from "./emosllm.ts";
import { type EmoSllm, loadEmoSllm } from "./emosllm.ts";
import type { Sound } from "./hear.ts";

/** Tasks there are. */
export const PIPELINE_TASKS = ["audio-emotion"] as const;
/** One of {@link PIPELINE_TASKS}. */
export type PipelineTask = (typeof PIPELINE_TASKS)[number];

/** A label and its probability. */
export interface LabelScore {
  readonly label: string;
  readonly score: number;
}

/** What `progress_callback` hears: transformers.js' events. `progress` is in percent, `loaded` and `total` in bytes. */
export type PipelineProgress =
  | { readonly status: "initiate" | "done"; readonly name: string; readonly file: string }
  | {
      readonly status: "progress";
      readonly name: string;
      readonly file: string;
      readonly progress: number;
      readonly loaded: number;
      readonly total: number;
    }
  | { readonly status: "ready"; readonly task: PipelineTask; readonly model: string };

/** Options of {@link pipeline}, beside those of loading a bundle. */
export type PipelineOptions = Omit<NonNullable<Parameters<typeof loadEmoSllm>[1]>, "onProgress"> & {
  readonly progress_callback?: ((event: PipelineProgress) => void) | undefined;
};

/** Options of a call. */
export interface AudioEmotionOptions {
  /** The so many likeliest labels; `null` (the default) gives all. */
  readonly top_k?: number | null | undefined;
  /** What was said, of each sound. */
  readonly transcript?: string | readonly (string | undefined)[] | undefined;
  /** One of the option `adapters` of loading, for all or for each sound; `null`: none. */
  readonly adapter?: string | null | readonly (string | null | undefined)[] | undefined;
}

/** Call it with a sound, or with several; samples are mono at `sampling_rate`. */
export interface AudioEmotionPipeline {
  (audio: Sound, options?: AudioEmotionOptions): Promise<LabelScore[]>;
  (audio: readonly Sound[], options?: AudioEmotionOptions): Promise<LabelScore[][]>;
  readonly task: PipelineTask;
  /** The model behind, for everything else that it can do. */
  readonly model: EmoSllm;
  /** Hz of samples that are passed in. */
  readonly sampling_rate: number;
  dispose(): Promise<void>;
}

/**
 * Opens a bundle as a pipeline. Throws EmosllmError `usage` for an unknown task, and what loading throws.
 *
 * @example
 * const emotion = await pipeline("audio-emotion", "runs/demo/best");
 * await emotion("turn.wav", { top_k: 2 }); // [{ label: "happy", score: 0.95 }, { label: "neutral", score: 0.02 }]
 * await emotion.dispose();
 */
export async function pipeline(
  task: PipelineTask,
  model: string,
  { progress_callback: report = () => undefined, ...options }: PipelineOptions = {},
): Promise<AudioEmotionPipeline> {
  if (!PIPELINE_TASKS.includes(task))
    throw new EmosllmError("usage", `pipeline: the task '${String(task)}' is not one of ${PIPELINE_TASKS.join(", ")}`);
  if (typeof model !== "string" || model === "")
    throw new EmosllmError("usage", "pipeline: a model is needed, the folder of a bundle or its repository on the hub");
  report({ status: "initiate", name: model, file: "emosllm.json" });
  const loaded = await loadEmoSllm(model, {
    ...options,
    onProgress: ({ status, file, loaded: bytes, total }) =>
      report(
        status === "progress"
          ? { status, name: model, file, progress: total > 0 ? (100 * bytes) / total : 100, loaded: bytes, total }
          : { status, name: model, file },
      ),
  });
  report({ status: "done", name: model, file: "emosllm.json" });
  report({ status: "ready", task, model });

  async function call(audio: Sound, asked?: AudioEmotionOptions): Promise<LabelScore[]>;
  async function call(audio: readonly Sound[], asked?: AudioEmotionOptions): Promise<LabelScore[][]>;
  async function call(
    audio: Sound | readonly Sound[],
    asked: AudioEmotionOptions = {},
  ): Promise<LabelScore[] | LabelScore[][]> {
    const several = Array.isArray(audio);
    const sounds: readonly Sound[] = several ? (audio as readonly Sound[]) : [audio as Sound];
    const { top_k: k = null, transcript, adapter } = asked;
    if (k !== null && !(Number.isInteger(k) && k >= 1))
      throw new EmosllmError("usage", `top_k must be a whole number >= 1 or null, not ${String(k)}`);
    const words = typeof transcript === "string" ? [transcript] : (transcript ?? []);
    if (words.length > 0 && words.length !== sounds.length)
      throw new EmosllmError("usage", `${words.length} transcripts for ${sounds.length} sounds`);
    const adapters = Array.isArray(adapter)
      ? (adapter as readonly (string | null | undefined)[])
      : sounds.map(() => adapter as string);
    if (adapters.length !== sounds.length)
      throw new EmosllmError("usage", `${adapters.length} adapters for ${sounds.length} sounds`);
    const answers = await loaded.score(
      sounds.map((sound, i) => ({ audio: sound, transcript: words[i], adapter: adapters[i] })),
    );
    const lists = answers.map((answer) => ranked(answer).slice(0, k ?? undefined));
    return several ? lists : (lists[0] as LabelScore[]);
  }
  return Object.assign(call, {
    task,
    model: loaded,
    sampling_rate: loaded.manifest.front_end.sample_rate,
    dispose: () => loaded.dispose(),
  });
}

const ranked = ({ probabilities }: EmotionAnswer): LabelScore[] =>
  Object.entries(probabilities)
    .map(([label, score]) => ({ label, score }))
    .sort((a, b) => b.score - a.score);
