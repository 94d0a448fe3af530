/** @file A trained EmoSLLM ready to be asked: sound and words in, a probability for each label out. */
import { loadSpeech } from "@emosllm/audio-features";
import { type AudioClip, type BundleManifest, EmosllmError } from "@emosllm/interfaces";
import {
  type PromptDefinition,
  type Tokenizer,
  answersOf,
  definePrompt,
  loadTokenizer,
  renderPrompt,
} from "@emosllm/prompts";
import type { CompileOptions } from "@emosllm/runtime";
import type { BatchRow } from "./batch.ts";
import { type LoadBundleOptions, loadBundle } from "./bundle.ts";
import type { EncoderOptions } from "./encoder.ts";
import { type FrontEnd, normalisedFrames, openFrontEnd } from "./front-end.ts";
import { openScorer } from "./scorer.ts";
import { answerProbabilities } from "./probabilities.ts";
import { measureClip, voiceDescriber } from "./voice.ts";

/** One utterance to judge. */
export interface EmotionInput {
  /** A file (or part of one), or mono samples at the bundle's rate; left out: by the words alone. */
  readonly audio?: string | AudioClip | Float32Array;
  readonly transcript?: string | undefined;
  /** The voice in words, where the bundle's prompt has a place for it. Left out: said by the bundle's own bins, where it has some. */
  readonly voice?: string | undefined;
  /** Who speaks, for bins by gender or speaker. */
  readonly gender?: string | undefined;
  readonly speaker?: string | undefined;
}

/** What the model says. */
export interface EmotionAnswer {
  /** Best label, or null for an abstention. */
  readonly label: string | null;
  /** Probability of each label, in the scheme's order; they add up to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** 1 for clips of a second or more; below, the probabilities were drawn towards even odds by this factor. */
  readonly reliability: number;
  /** Length of the audio in seconds; 0 without audio. */
  readonly seconds: number;
}

/** A loaded model. Dispose it. */
export interface EmoSllm {
  readonly manifest: BundleManifest;
  readonly labels: readonly string[];
  /** Judges utterances, all in one batch. Throws EmosllmError `audio_*` for sound that cannot be judged. */
  score(inputs: readonly EmotionInput[]): Promise<EmotionAnswer[]>;
  dispose(): Promise<void>;
}

/** Below, a clip is too short for the front end to say anything. */
export const SHORTEST_SECONDS = 0.2;
/** At and above, an answer is taken at its word. */
const RELIABLE_SECONDS = 1;
/** Peak amplitude (full scale 1) below which a file counts as silent: -66 dB. */
const SILENT_PEAK = 0.0005;

/** Options of {@link loadEmoSllm}. */
export interface LoadEmoSllmOptions
  extends LoadBundleOptions, Pick<CompileOptions, "threads" | "device">, Omit<EncoderOptions, "base"> {}

/**
 * Loads a bundle; its speech encoder, where it has one, is opened with the first sound. Throws EmosllmError `bundle_invalid`, `checkpoint_*`.
 */
export async function loadEmoSllm(folder: string, options: LoadEmoSllmOptions = {}): Promise<EmoSllm> {
  const bundle = await loadBundle(folder, options);
  const tokenizer = await loadTokenizer(bundle.backboneFolder);
  const prompt = definePrompt(bundle.manifest.prompt as unknown as PromptDefinition);
  const scorer = openScorer(bundle.parts, options);
  const { manifest } = bundle;
  const labels = manifest.labels.words.map((w) => w.label);
  const describe = manifest.voice && voiceDescriber(manifest.voice);
  let opening: Promise<FrontEnd> | undefined;
  const frontEnd = (): Promise<FrontEnd> => {
    // A failure is not kept: the next sound tries again.
    opening ??= openFrontEnd(manifest.front_end, { ...options, base: bundle.folder }).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    manifest,
    labels,
    async score(inputs) {
      const prepared = await Promise.all(inputs.map((input, i) => prepare(input, i, manifest)));
      const heard = prepared.flatMap(({ samples }) => samples ?? []);
      const raw = heard.length > 0 ? [...(await (await frontEnd()).frames(heard))] : [];
      const rows = prepared.map(({ samples }, i) => {
        const input = inputs[i] as EmotionInput;
        const own = samples && raw.shift();
        const frames = own && normalisedFrames(own, manifest.front_end);
        const voice =
          input.voice ??
          (samples && describe?.(measureClip(samples, manifest.front_end.sample_rate), speakerOf(input)));
        return promptRow(prompt, tokenizer, manifest, { transcript: input.transcript, voice }, frames);
      });
      const scores = await scorer.score(rows, bundle.parameters);
      return scores.map((answers, i) => {
        const { seconds } = prepared[i] as Prepared;
        const reliability = seconds === 0 ? 1 : Math.min(1, seconds / RELIABLE_SECONDS);
        const p = answerProbabilities(answers, manifest.scoring).map(
          (q) => reliability * q + (1 - reliability) / labels.length,
        );
        const best = p.indexOf(Math.max(...p));
        const threshold = manifest.scoring.abstain_below;
        return {
          label: threshold !== null && (p[best] as number) < threshold ? null : (labels[best] as string),
          probabilities: Object.fromEntries(labels.map((label, k) => [label, p[k] as number])),
          reliability,
          seconds,
        };
      });
    },
    async dispose() {
      await scorer.dispose();
      await (await opening?.catch(() => undefined))?.dispose();
    },
  };
}

const speakerOf = ({ gender, speaker }: EmotionInput): { gender?: string; speaker?: string } => ({
  ...(gender === undefined ? {} : { gender }),
  ...(speaker === undefined ? {} : { speaker }),
});

interface Prepared {
  readonly samples: Float32Array | undefined;
  readonly seconds: number;
}

async function prepare({ audio, transcript }: EmotionInput, i: number, manifest: BundleManifest): Promise<Prepared> {
  if (audio === undefined) {
    if (transcript === undefined) throw new EmosllmError("usage", `Input ${i} has neither audio nor a transcript.`);
    return { samples: undefined, seconds: 0 };
  }
  const { front_end: frontEnd } = manifest;
  const name = audio instanceof Float32Array ? `input ${i}` : typeof audio === "string" ? audio : audio.path;
  const samples = audio instanceof Float32Array ? audio : await loadSpeech(audio, { sampleRate: frontEnd.sample_rate });
  const seconds = samples.length / frontEnd.sample_rate;
  if (seconds < SHORTEST_SECONDS)
    throw new EmosllmError(
      "audio_empty",
      `${name}: ${seconds.toFixed(2)} s of audio; at least ${SHORTEST_SECONDS} s are needed`,
    );
  let peak = 0;
  for (const s of samples) peak = Math.max(peak, Math.abs(s));
  if (!(peak >= SILENT_PEAK))
    throw new EmosllmError(
      "audio_empty",
      `${name}: silent (peak ${(20 * Math.log10(peak || 1e-10)).toFixed(0)} dB of full scale); there is nothing to judge`,
    );
  return { samples, seconds };
}

/** What is known of an utterance beside its sound. */
export interface PromptWords {
  readonly transcript?: string | undefined;
  /** The voice in words. */
  readonly voice?: string | undefined;
}

/** The prompt around one utterance, with the answer for each label: its word, or its letter or number where the prompt asks for that. */
export function promptRow(
  prompt: PromptDefinition,
  tokenizer: Tokenizer,
  { labels }: Pick<BundleManifest, "labels">,
  { transcript, voice }: PromptWords,
  frames: BatchRow["frames"],
): BatchRow {
  const words = labels.words.map((w) => w.word);
  const { before, after } = renderPrompt(
    prompt,
    { audio: frames !== undefined, transcript, voice, labels: words },
    tokenizer,
  );
  return { before, after, answers: answersOf(prompt, words).map((w) => tokenizer.encodeAnswer(w)), frames };
}
