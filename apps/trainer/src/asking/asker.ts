/** @file Asks a bundle in any way: any prompt, label words in any order, any sound beside any words. What searches, sensitivity and probes are made of. */
import { type BundleManifest, EmosllmError, type Utterance } from "@emosllm/interfaces";
import type { Speaker } from "@emosllm/audio-features";
import {
  type BatchRow,
  type Frames,
  type FrontEnd,
  type RawFrames,
  SHORTEST_SECONDS,
  answerProbabilities,
  loadBundle,
  measureClip,
  normalisedFrames,
  openFrontEnd,
  openScorer,
  voiceDescriber,
} from "@emosllm/model";
import {
  type LabelWord,
  type PromptDefinition,
  answersOf,
  definePrompt,
  labelLexicon,
  labelWords,
  loadTokenizer,
  renderPrompt,
} from "@emosllm/prompts";
import { utteranceSpeech } from "../clip-speech.ts";

/** Sound to be heard: samples at the bundle's rate, under a key that tells one sound from another. */
export interface Sound {
  readonly key: string;
  readonly samples: () => Promise<Float32Array>;
  /** Who speaks, for bins by gender or speaker. */
  readonly who?: Speaker;
}

/** One question. */
export interface Question {
  /** null: no sound */
  readonly sound: Sound | null;
  readonly transcript?: string | undefined;
  /** The voice in words; a sound: as the bundle's own bins describe it (nothing where the bundle has none). */
  readonly voice?: string | Sound | undefined;
  /** Default: the bundle's own. */
  readonly prompt?: PromptDefinition | undefined;
  /** The labels in the order and words in which they are asked for; default the bundle's. */
  readonly labels?: readonly LabelWord[] | undefined;
}

/** A bundle that can be asked. Dispose it. */
export interface Asker {
  readonly manifest: BundleManifest;
  readonly prompt: PromptDefinition;
  /** The scheme's labels. */
  readonly labels: readonly string[];
  /** The bundle's own words, with definitions and synonyms. */
  readonly words: readonly LabelWord[];
  /** The clip of an utterance. */
  sound(utterance: Utterance): Sound;
  /** A sound's voice in the words of the bundle's bins; undefined where it has none. */
  describe(sound: Sound): Promise<string | undefined>;
  /** The likeliest label of each question; answers are never withheld here. */
  ask(questions: readonly Question[], onProgress?: (done: number) => void): Promise<string[]>;
  dispose(): Promise<void>;
}

/** Frames of sounds that were heard once are kept up to so many bytes. */
const KEPT = 512 * 2 ** 20;

/** Opens a bundle. Throws EmosllmError `bundle_invalid`, `checkpoint_*`. */
export async function openAsker(folder: string, { batchSize = 16 }: { batchSize?: number } = {}): Promise<Asker> {
  const bundle = await loadBundle(folder);
  const { manifest } = bundle;
  const tokenizer = await loadTokenizer(bundle.backboneFolder);
  const scorer = openScorer(bundle.parts);
  const prompt = definePrompt(manifest.prompt as unknown as PromptDefinition);
  const labels = manifest.labels.words.map((w) => w.label);
  const known = labelWords(labels, await labelLexicon(), { language: prompt.language });
  const words = manifest.labels.words.map(({ label, word }, i): LabelWord => {
    const entry = known[i] as LabelWord;
    const others = [entry.word, ...entry.synonyms].filter((w) => w !== word);
    return { ...entry, label, word, synonyms: others };
  });
  let opened: Promise<FrontEnd> | undefined;
  const frontEnd = (): Promise<FrontEnd> => (opened ??= openFrontEnd(manifest.front_end, { base: bundle.folder }));
  const describeMeasures = manifest.voice && voiceDescriber(manifest.voice);
  const said = new Map<string, string>();
  const describe = async ({ key, samples, who }: Sound): Promise<string | undefined> => {
    if (!describeMeasures) return undefined;
    const before = said.get(key);
    if (before !== undefined) return before;
    const text = describeMeasures(measureClip(await samples(), manifest.front_end.sample_rate), who);
    said.set(key, text);
    return text;
  };
  const heard = new Map<string, Frames>();
  let kept = 0;
  const frames = async ({ key, samples }: Sound): Promise<Frames> => {
    const before = heard.get(key);
    if (before) return before;
    const clip = await samples();
    const [raw] = await (await frontEnd()).frames([clip]);
    const made = normalisedFrames(raw as RawFrames, manifest.front_end);
    if (kept + made.data.byteLength <= KEPT) {
      heard.set(key, made);
      kept += made.data.byteLength;
    }
    return made;
  };
  const rowOf = async (question: Question): Promise<BatchRow> => {
    const { sound, transcript, prompt: own = prompt, labels: options = words } = question;
    const audio = sound !== null;
    const voice = typeof question.voice === "object" ? await describe(question.voice) : question.voice;
    const { before, after } = renderPrompt(own, { audio, transcript, voice, labels: options }, tokenizer);
    const answers = answersOf(own, options).map((answer) => tokenizer.encodeAnswer(answer));
    return { before, after, answers, frames: sound ? await frames(sound) : undefined };
  };
  return {
    manifest,
    prompt,
    labels,
    words,
    sound: (utterance) => ({
      key: utterance.id,
      samples: () => clipSamples(utterance, manifest.front_end.sample_rate),
      who: {
        ...(utterance.gender === undefined ? {} : { gender: utterance.gender }),
        ...(utterance.speaker === undefined ? {} : { speaker: utterance.speaker }),
      },
    }),
    describe,
    async ask(questions, onProgress) {
      const answers: string[] = Array.from({ length: questions.length });
      let done = 0;
      // Rows with and without sound are programs of their own.
      for (const withSound of [true, false]) {
        const chosen = questions.flatMap((q, i) => ((q.sound !== null) === withSound ? [i] : []));
        for (let from = 0; from < chosen.length; from += batchSize) {
          const part = chosen.slice(from, from + batchSize);
          const rows: BatchRow[] = [];
          for (const i of part) rows.push(await rowOf(questions[i] as Question));
          const scores = await scorer.score(rows, bundle.parameters);
          part.forEach((i, k) => {
            const { prompt: own, labels: options = words } = questions[i] as Question;
            // The bias is that of the bundle's own way of asking.
            const asIs = (own === undefined || own === prompt) && options === words;
            const { bias, ...plain } = manifest.scoring;
            const p = answerProbabilities(scores[k] ?? [], asIs && bias ? { ...plain, bias } : plain);
            answers[i] = (options[p.indexOf(Math.max(...p))] as LabelWord).label;
          });
          onProgress?.((done += part.length));
        }
      }
      return answers;
    },
    async dispose() {
      await scorer.dispose();
      await (await opened?.catch(() => undefined))?.dispose();
    },
  };
}

/** Mono samples of an utterance, wherever its bytes lie. Throws EmosllmError `audio_*`. */
async function clipSamples({ id, audio }: Utterance, sampleRate: number): Promise<Float32Array> {
  const samples = await utteranceSpeech({ audio, id }, sampleRate);
  if (samples.length < SHORTEST_SECONDS * sampleRate)
    throw new EmosllmError(
      "audio_empty",
      `${audio.path} (${id}): ${(samples.length / sampleRate).toFixed(2)} s of audio; at least ${SHORTEST_SECONDS} s are needed`,
    );
  return samples;
}
