/** @file A trained EmoSLLM ready to be asked: sound and words in, a probability for each label out. */
import {
  type Generated,
  type GenerationEvent,
  type Token,
  collectGenerated,
  generate,
  readGenerationConfig,
} from "@emosllm/generation";
import { type BundleManifest, EmosllmError } from "@emosllm/interfaces";
import {
  type PromptDefinition,
  type SlotValues,
  type Tokenizer,
  answersOf,
  definePrompt,
  loadTokenizer,
  renderPrompt,
} from "@emosllm/prompts";
import type { CompileOptions } from "@emosllm/runtime";
import { type AdapterChoice, readAdapters } from "./adapters.ts";
import type { BatchRow } from "./batch.ts";
import { type LoadBundleOptions, loadBundle } from "./bundle.ts";
import type { EncoderOptions } from "./encoder.ts";
import { type Heard, type Utterance, openHearing } from "./hear.ts";
import { openModelEngine } from "./model-engine.ts";
import { answerProbabilities } from "./probabilities.ts";
import { type WritingInput, type WritingOptions, piecesOf, promptTokens, splitOptions } from "./write.ts";

/** One utterance to judge. */
export interface EmotionInput extends Utterance {
  /** One of the option `adapters` in place of the bundle's own; `null`: none. Rows of a batch may have different ones. */
  readonly adapter?: string | null | undefined;
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

/** Options of {@link EmoSllm.score}. */
export interface ScoreOptions {
  /** The front end is done: what follows is the projector and the language model. */
  readonly onHeard?: (() => void) | undefined;
}

/** A loaded model. Dispose it. */
export interface EmoSllm {
  readonly manifest: BundleManifest;
  readonly labels: readonly string[];
  /** Names of the option `adapters`. */
  readonly adapters: readonly string[];
  /** Of the language model: ids to text and back. */
  readonly tokenizer: Tokenizer;
  /** Judges utterances, all in one batch. Throws EmosllmError `audio_*` for sound that cannot be judged. */
  score(inputs: readonly EmotionInput[], options?: ScoreOptions): Promise<EmotionAnswer[]>;
  /**
   * Writes: what is said, how it is said, or an answer in a conversation about sound. Inputs go together, answers do not depend on each
   * other. Greedy unless `do_sample`. Throws EmosllmError `usage` for wrong options, and as `score`; the signal's reason.
   */
  generate(inputs: readonly WritingInput[], options?: WritingOptions): Promise<Generated[]>;
  /** The same, token by token; `row` is the input's index. */
  stream(inputs: readonly WritingInput[], options?: WritingOptions): AsyncGenerator<GenerationEvent, void, undefined>;
  /** Tokens of each input's prompt, an audio vector counted as one: what `generate` has to read. */
  countTokens(inputs: readonly WritingInput[], options?: WritingOptions): Promise<number[]>;
  /**
   * Mean over inputs of each one's mean negative log-likelihood of its tokens: of the label's answer under the bundle's prompt, or of `text`
   * (with the end of the turn) under the task's. Nothing is trained here: `@emosllm/training` does.
   */
  loss(batch: readonly LossInput[], options?: WritingOptions): Promise<number>;
  dispose(): Promise<void>;
}

/** An input and what should come out: a label, or a text. */
export type LossInput = EmotionInput & ({ readonly label: string } | { readonly text: string });

/** At and above, an answer is taken at its word. */
const RELIABLE_SECONDS = 1;

/** Options of {@link loadEmoSllm}. */
export interface LoadEmoSllmOptions
  extends LoadBundleOptions, Pick<CompileOptions, "threads" | "device">, Omit<EncoderOptions, "base"> {
  /**
   * Further adapters for the language model, by a name of yours: folders as PEFT writes them. All are held at once, inputs choose
   * (`adapter`). With the option, even `{}`, an input may also have none.
   */
  readonly adapters?: Readonly<Record<string, string>> | undefined;
}

/**
 * Loads a bundle: a folder, or a repository on the hub that holds one. Throws EmosllmError `bundle_invalid`, `checkpoint_*`.
 *
 * The language model is held once for everything; the beginning that a prompt's rows share is run once and kept. A speech encoder, where
 * the bundle has one, is opened with the first sound.
 */
export async function loadEmoSllm(folder: string, options: LoadEmoSllmOptions = {}): Promise<EmoSllm> {
  const bundle = await loadBundle(folder, options);
  const { manifest, backboneFolder } = bundle;
  const adapters = options.adapters && (await readAdapters(options.adapters, bundle.parts));
  const tokenizer = await loadTokenizer(backboneFolder);
  const { eos_token_id: eos } = await readGenerationConfig(backboneFolder);
  const ends = [...new Set([...[eos ?? []].flat(), tokenizer.endOfTurn])];
  const prompt = definePrompt(manifest.prompt as unknown as PromptDefinition);
  const { threads, device } = options;
  const parts = await openModelEngine(bundle.parts, bundle.parameters, {
    ...(adapters ? { adapters } : {}),
    ...(threads === undefined ? {} : { threads }),
    ...(device === undefined ? {} : { device }),
  });
  const { engine, parameters } = parts;
  const ears = openHearing(manifest, { ...options, base: bundle.folder });
  const labels = manifest.labels.words.map((w) => w.label);
  const begin = promptRow(prompt, tokenizer, manifest, {}, NO_FRAMES).before;

  /** The prompt's tokens of each row, its sound as vectors. */
  const tokensOfRows = async (rows: readonly BatchRow[]): Promise<Token[][]> => {
    const vectors = await parts.project(rows.flatMap((r) => (r.frames ? [r.frames] : [])));
    let next = 0;
    return rows.map((r) => [...r.before, ...(r.frames ? (vectors[next++] as Token[]) : []), ...r.after]);
  };
  const scoreRows = async (
    rows: readonly BatchRow[],
    choices: readonly AdapterChoice[],
    name: string,
    beginning: readonly number[],
  ): Promise<number[][][]> => {
    const rowInputs = parts.rowInputs(choices);
    const prompts = await tokensOfRows(rows);
    const shared = await parts.shared(name, beginning, prompts, choices);
    return engine.score(
      rows.map(({ answers }, i) => ({ prompt: prompts[i] as Token[], answers })),
      { parameters, rowInputs, shared },
    );
  };
  /** What is to be read before writing; the prompts' usual beginning is run and kept by the name of the task's prompt. */
  async function prepareWriting(inputs: readonly WritingInput[], options_: WritingOptions) {
    const { find, generation } = splitOptions(options_);
    const task = inputs.some((input) => input.messages === undefined) ? await find() : undefined;
    const pieces = inputs.map((input, i) => piecesOf(input, i, task, tokenizer));
    const sounds = pieces.map((list) => list.flatMap((piece) => ("audio" in piece ? [piece.audio] : [])));
    const heard = await ears.hear(sounds.flatMap((list) => list.map((audio) => ({ audio }))));
    const vectors = await parts.project(heard.flatMap(({ frames }) => frames ?? []));
    const prompts = pieces.map((list, i) =>
      promptTokens(list, vectors.splice(0, (sounds[i] as readonly unknown[]).length), engine.hiddenSize),
    );
    const [first] = task && pieces[0] && inputs[0]?.audio !== undefined ? pieces[0] : [];
    const beginning = first && "ids" in first ? first.ids : undefined;
    return { task, generation, prompts, beginning, choices: inputs.map((input) => input.adapter) };
  }

  async function* stream(
    inputs: readonly WritingInput[],
    asked: WritingOptions = {},
  ): AsyncGenerator<GenerationEvent, void, undefined> {
    if (inputs.length === 0) return;
    const { task, generation, prompts, beginning, choices } = await prepareWriting(inputs, asked);
    const rowInputs = parts.rowInputs(choices);
    const shared = task && beginning ? await parts.shared(`task ${task.name}`, beginning, prompts, choices) : undefined;
    const decode = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecialTokens: true });
    yield* generate({ engine, decode, eos: ends, parameters, rowInputs, shared }, prompts, generation);
  }

  return {
    manifest,
    labels,
    adapters: [...(adapters?.keys() ?? [])],
    tokenizer,
    async score(inputs, { onHeard } = {}) {
      if (inputs.length === 0) return [];
      const heard = await ears.hear(inputs);
      onHeard?.();
      const rows = heard.map((h) => promptRow(prompt, tokenizer, manifest, h, h.frames));
      const scores = await scoreRows(rows, choicesOf(inputs), "emotion", begin);
      return scores.map((answers, i) => {
        const { seconds } = heard[i] as Heard;
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
    async generate(inputs, asked) {
      return collectGenerated(stream(inputs, asked));
    },
    stream,
    async countTokens(inputs, asked = {}) {
      return (await prepareWriting(inputs, asked)).prompts.map((p) => p.length);
    },
    async loss(batch, asked = {}) {
      if (batch.length === 0) throw new EmosllmError("usage", "loss: the batch is empty");
      const heard = await ears.hear(batch);
      const task = batch.some((input) => "text" in input) ? await splitOptions(asked).find() : undefined;
      const rows = batch.map((input, i): BatchRow => {
        const { frames, transcript, voice } = heard[i] as Heard;
        if ("label" in input) {
          const row = promptRow(prompt, tokenizer, manifest, { transcript, voice }, frames);
          const at = labels.indexOf(input.label);
          if (at < 0)
            throw new EmosllmError(
              "label_unknown",
              `loss: input ${i} has the label '${input.label}'; this bundle has ${labels.join(", ")}`,
            );
          return { ...row, answers: [row.answers[at] as readonly number[]] };
        }
        const { before, after } = renderPrompt(
          task as PromptDefinition,
          { audio: frames !== undefined, transcript, voice },
          tokenizer,
        );
        return { before, after, frames, answers: [[...tokenizer.encodeAnswer(input.text), tokenizer.endOfTurn]] };
      });
      const scores = await scoreRows(rows, choicesOf(batch), "loss", (rows[0] as BatchRow).before);
      const losses = scores.map(([tokens = []]) => -tokens.reduce((a, b) => a + b, 0) / tokens.length);
      return losses.reduce((a, b) => a + b, 0) / losses.length;
    },
    async dispose() {
      await parts.dispose();
      await ears.dispose();
    },
  };
}

/** Under this name as in the paper: `const model = await EmoSLLM.load("runs/demo/best")`. */
export const EmoSLLM: { readonly load: typeof loadEmoSllm } = { load: loadEmoSllm };

const choicesOf = (inputs: readonly EmotionInput[]): AdapterChoice[] => inputs.map((input) => input.adapter);

/** Stands for some sound, to see what a prompt begins with. */
const NO_FRAMES: BatchRow["frames"] = { data: new Float32Array(0), length: 0 };

/** What is known of an utterance beside its sound. */
export interface PromptWords {
  readonly transcript?: string | undefined;
  /** The voice in words. */
  readonly voice?: string | undefined;
  /** What was said before, oldest first. */
  readonly context?: SlotValues["context"];
}

/** The prompt around one utterance, with the answer for each label: its word, or its letter or number where the prompt asks for that. */
export function promptRow(
  prompt: PromptDefinition,
  tokenizer: Tokenizer,
  { labels }: Pick<BundleManifest, "labels">,
  { transcript, voice, context }: PromptWords,
  frames: BatchRow["frames"],
): BatchRow {
  const words = labels.words.map((w) => w.word);
  const { before, after } = renderPrompt(
    prompt,
    { audio: frames !== undefined, transcript, voice, context, labels: words },
    tokenizer,
  );
  return { before, after, answers: answersOf(prompt, words).map((w) => tokenizer.encodeAnswer(w)), frames };
}
