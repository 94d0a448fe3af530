/** @file What a model process can be asked, as a table of plain data: inputs and outputs cross a process border. */

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

/** Every task: its input and output for one item. */
export interface Tasks {
  readonly score: { readonly input: ScoreInput; readonly output: ScoreOutput };
  readonly timeline: { readonly input: ScoreInput; readonly output: TimelineOutput };
}
/** A key of {@link Tasks}. */
export type TaskKind = keyof Tasks;

/** What one loaded bundle is. */
export interface ModelInfo {
  readonly id: string;
  /** sha256 of its manifest. */
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
}

/** How a model process loads its bundles. */
export interface ProcessSetup {
  readonly bundles: readonly BundleSpec[];
  /** Threads inside one op. */
  readonly threads: number;
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
  | { readonly type: "close" };

/** From a model process. */
export type FromProcess =
  | { readonly type: "ready"; readonly models: readonly ModelInfo[] }
  | { readonly type: "failed"; readonly error: PlainError }
  | {
      readonly type: "done";
      readonly batch: number;
      readonly results: readonly ItemResult[];
      readonly modelMs: number;
      readonly rssBytes: number;
    };
