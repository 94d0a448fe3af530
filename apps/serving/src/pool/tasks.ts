/** @file What a model process can be asked, as a table of plain data: inputs and outputs cross a process border. */
import type { Precision } from "@emosllm/backbones";

/** Sound as it came in: a file's bytes, or mono samples. */
export type AudioPayload =
  | { readonly bytes: Uint8Array }
  | { readonly samples: Float32Array; readonly sampleRate: number };

/** How much is said about the voice: nothing, what costs next to nothing, or everything that can be measured. */
export const VOICE_DETAILS = ["none", "quick", "full"] as const;
/** One of {@link VOICE_DETAILS}. */
export type VoiceDetail = (typeof VOICE_DETAILS)[number];

/** Bounds on what is decoded on a caller's behalf. */
export interface AudioLimits {
  /** Seconds of sound. */
  readonly maxSeconds: number;
  /** Samples over all channels at the file's own rate; small files can hold very much sound. */
  readonly maxSamples: number;
}

/** One utterance to judge. */
export interface ScoreInput {
  readonly audio: AudioPayload;
  readonly transcript?: string | undefined;
  readonly voice: VoiceDetail;
  readonly limits: AudioLimits;
}

/** A voice in words. */
export interface VoiceOutput {
  readonly text: string;
  /** 0 (very low) to 4 (very high) by measure. */
  readonly levels: Readonly<Record<string, number>>;
}

/** What the model says about one utterance. */
export interface ScoreOutput {
  readonly label: string | null;
  readonly probabilities: Readonly<Record<string, number>>;
  readonly reliability: number;
  readonly seconds: number;
  readonly voice: VoiceOutput | null;
  /** Milliseconds spent on decoding this item. */
  readonly decodeMs: number;
}

/** What the model says about a recording over time. */
export interface TimelineOutput extends ScoreOutput {
  readonly segments: readonly {
    readonly start: number;
    readonly end: number;
    readonly label: string | null;
    readonly probabilities: Readonly<Record<string, number>>;
  }[];
}

/** A turn of a conversation; sound stands in its parts. */
export interface GenerateMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: readonly (
    | { readonly type: "text"; readonly text: string }
    | { readonly type: "audio"; readonly audio: AudioPayload }
  )[];
}

/** Something to write: an answer in a conversation, or what is said in a recording. */
export interface GenerateInput {
  readonly messages?: readonly GenerateMessage[] | undefined;
  readonly transcribe?: { readonly audio: AudioPayload; readonly language: string | undefined } | undefined;
  /** Under the names of transformers' GenerationConfig. */
  readonly options: {
    readonly max_new_tokens: number;
    readonly do_sample: boolean;
    readonly temperature?: number | undefined;
    readonly top_p?: number | undefined;
    readonly seed?: number | undefined;
    readonly stop_strings?: readonly string[] | undefined;
    readonly top_logprobs?: number | undefined;
    readonly logprobs?: boolean | undefined;
  };
  readonly limits: AudioLimits;
}

/** A token as OpenAI's `logprobs` have it. */
export interface TokenChance {
  readonly token: string;
  readonly logprob: number;
  readonly top: readonly { readonly token: string; readonly logprob: number }[];
}

/** Text as it comes. */
export interface GenerateChunk {
  readonly text: string;
  readonly chance?: TokenChance;
}

/** The whole of it. */
export interface GenerateOutput {
  readonly text: string;
  readonly finishReason: "stop" | "length";
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly seconds: number;
  readonly chances: readonly TokenChance[];
}

/** Every task: its input and output for one item. */
export interface Tasks {
  readonly score: { readonly input: ScoreInput; readonly output: ScoreOutput };
  readonly timeline: { readonly input: ScoreInput; readonly output: TimelineOutput };
  readonly generate: { readonly input: GenerateInput; readonly output: GenerateOutput };
}
/** Tasks whose items go one at a time: they are long, and other processes may take the next. */
export const SINGLE: { readonly [K in TaskKind]: boolean } = { score: false, timeline: true, generate: true };

/** A part of the work on a batch. */
export interface Phase {
  readonly name: "decode" | "encode" | "score" | "voice" | "timeline" | "generate";
  readonly ms: number;
}

/** A key of {@link Tasks}. */
export type TaskKind = keyof Tasks;

/** What one loaded bundle is. */
export interface ModelInfo {
  readonly id: string;
  /** The bundle whose front end, projector and language model an adapter shares. */
  readonly parent: string | null;
  /** sha256 of its manifest, or of an adapter's weights. */
  readonly revision: string;
  readonly labels: readonly string[];
  readonly scheme: string;
  readonly baseModel: string;
  readonly frontEnd: string;
  /** Hz */
  readonly sampleRate: number;
  /** Below this best probability an answer is an abstention. */
  readonly abstainBelow: number | null;
  readonly tasks: readonly TaskKind[];
  /** Unix seconds of the manifest file. */
  readonly created: number;
}

/** A bundle to load, under the name that callers choose it by. */
export interface BundleSpec {
  readonly id: string;
  readonly folder: string;
  /** Further adapters of its language model by the names that callers choose them by: folders as PEFT writes them. */
  readonly adapters?: Readonly<Record<string, string>> | undefined;
}

/** How a model process loads its bundles. */
export interface ProcessSetup {
  readonly bundles: readonly BundleSpec[];
  /** Threads inside one op. */
  readonly threads: number;
  /** How the language model's weights are held; as the bundle says when undefined. */
  readonly precision: Precision | undefined;
}

/** An error without its class. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
}

/** What became of one item of a batch. */
export type ItemResult<K extends TaskKind = TaskKind> =
  | { readonly ok: true; readonly output: Tasks[K]["output"] }
  | { readonly ok: false; readonly error: PlainError };

/** To a model process. */
export type ToProcess =
  | { readonly type: "open"; readonly setup: ProcessSetup }
  | {
      readonly type: "batch";
      readonly batch: number;
      readonly model: string;
      readonly kind: TaskKind;
      readonly inputs: readonly Tasks[TaskKind]["input"][];
    }
  /** Nobody waits for a batch any more. */
  | { readonly type: "cancel"; readonly batch: number }
  | { readonly type: "close" };

/** From a model process. */
export type FromProcess =
  | { readonly type: "chunk"; readonly batch: number; readonly chunk: GenerateChunk }
  | { readonly type: "ready"; readonly models: readonly ModelInfo[] }
  | { readonly type: "failed"; readonly error: PlainError }
  | {
      readonly type: "done";
      readonly batch: number;
      readonly results: readonly ItemResult[];
      readonly modelMs: number;
      readonly phases: readonly Phase[];
      readonly rssBytes: number;
    };
