/** @file What a row can ask: which samples each task can use, how its row is written, and what its answer should be. */
import type { EmotionScheme } from "@emosllm/interfaces";
import type { BatchRow } from "@emosllm/model";
import {
  type LabelWord,
  type PromptDefinition,
  type SlotValues,
  type Tokenizer,
  answersOf,
  definePrompt,
  renderPrompt,
} from "@emosllm/prompts";
import { answerTargets } from "@emosllm/training";
import type { Task, TrainConfig } from "./config.ts";
import type { Sample } from "./data.ts";

/** A row with what each of its answers should get. */
export interface TaskRow {
  readonly row: BatchRow;
  /** Target of each answer; see `answerTargets` of `@emosllm/training`. */
  readonly targets: readonly number[];
}

/** What a row of a batch shows. */
export interface RowDraw {
  readonly prompt: PromptDefinition;
  /** In the order in which the prompt lists them. */
  readonly labels: readonly LabelWord[];
  readonly audio: boolean;
  readonly transcript: string | undefined;
  readonly voice: string | undefined;
  readonly frames: BatchRow["frames"];
}

/** What rows are written with. */
export interface RowContext {
  readonly tokenizer: Tokenizer;
  readonly scheme: EmotionScheme;
  readonly config: Pick<TrainConfig, "label_smoothing_factor" | "soft_labels">;
  /** Weight of each label of the scheme. */
  readonly labelWeights: readonly number[] | undefined;
}

/** Prompt and content of a sample as a row without answers. */
export function questionRow(
  { prompt, audio, frames }: Pick<RowDraw, "prompt" | "audio" | "frames">,
  values: SlotValues,
  tokenizer: Tokenizer,
): Omit<BatchRow, "answers"> {
  const { before, after } = renderPrompt(prompt, { ...values, audio }, tokenizer);
  return { before, after, frames: audio ? frames : undefined };
}

/** A row that answers in free text. */
function textRow(draw: RowDraw, values: SlotValues, answer: string, { tokenizer }: RowContext): TaskRow {
  return { row: { ...questionRow(draw, values, tokenizer), answers: [tokenizer.encodeAnswer(answer)] }, targets: [1] };
}

/** Answers without a target are left out, unless all are compared with each other. */
function choiceRow(
  draw: RowDraw,
  values: SlotValues,
  answers: readonly string[],
  targets: readonly number[],
  { tokenizer }: RowContext,
  all: boolean,
): TaskRow {
  const kept = answers.map((_, i) => i).filter((i) => all || (targets[i] as number) > 0);
  return {
    row: {
      ...questionRow(draw, values, tokenizer),
      answers: kept.map((i) => tokenizer.encodeAnswer(answers[i] as string)),
    },
    targets: kept.map((i) => targets[i] as number),
  };
}

/** One task. */
export interface TaskDefinition {
  /** Whether a sample can be asked. */
  readonly fits: (sample: Sample) => boolean;
  /** The training row. `scored`: with every answer, for the scored loss. */
  readonly row: (sample: Sample, draw: RowDraw, context: RowContext, scored: boolean) => TaskRow;
  /** Its answers are a closed set. */
  readonly closed: boolean;
}

/** All tasks. */
export const TASK_DEFINITIONS: Readonly<Record<Task, TaskDefinition>> = {
  emotion: {
    closed: true,
    fits: (sample) => sample.label !== undefined,
    row: (sample, draw, context, scored) => {
      const { scheme, config, labelWeights: weights } = context;
      const { softLabel } = sample.utterance;
      const label =
        config.soft_labels && softLabel
          ? scheme.labels.map((name) => softLabel[name] ?? 0)
          : scheme.labels.indexOf(sample.label as string);
      const targets = answerTargets(label, scheme.labels.length, { smoothing: config.label_smoothing_factor, weights });
      // The prompt lists the labels in the drawn order, the targets are in the scheme's.
      const place = draw.labels.map((l) => scheme.labels.indexOf(l.label));
      const values = { transcript: draw.transcript, voice: draw.voice, context: sample.context, labels: draw.labels };
      const answers = answersOf(draw.prompt, draw.labels);
      return choiceRow(draw, values, answers, place.map((i) => targets[i] as number), context, scored); // prettier-ignore
    },
  },
  transcription: {
    closed: false,
    fits: (sample) => (sample.utterance.text ?? "").trim() !== "",
    row: (sample, draw, context) =>
      textRow({ ...draw, audio: true }, { context: sample.context }, (sample.utterance.text as string).trim(), context),
  },
  description: {
    closed: false,
    fits: (sample) => sample.voice !== undefined,
    row: (sample, draw, context) =>
      textRow({ ...draw, audio: true }, { transcript: draw.transcript }, sample.voice as string, context),
  },
  dimensional: {
    closed: true,
    fits: (sample) => DIMENSIONS.some((d) => sample.utterance[d] !== undefined),
    row: (sample, draw, context, scored) => {
      const dimension = dimensionOf(draw.prompt);
      const targets = levelTargets(sample.utterance[dimension] as number, LEVELS);
      const values = { transcript: draw.transcript, voice: draw.voice, context: sample.context, labels: LEVELS };
      return choiceRow(draw, values, LEVELS, targets, context, scored);
    },
  },
};

/** Dimensions of emotion that corpora rate, by the fields of an utterance. */
export const DIMENSIONS = ["valence", "activation", "dominance"] as const;
/** One of {@link DIMENSIONS}. */
export type Dimension = (typeof DIMENSIONS)[number];

/** Answers of the dimensional task: the five points of the self-assessment manikins, on which IEMOCAP's ratings lie. */
export const LEVELS: readonly string[] = ["1", "2", "3", "4", "5"];

const question = (name: Dimension, text: string): PromptDefinition =>
  definePrompt({
    name: `dimensional-${name}`,
    labels: "comma",
    messages: [
      {
        role: "user",
        content: `{audio}\nThe words are "{transcript}".\nThe voice: {voice}\n${text}\nAnswer with one number of {labels}.`,
      },
    ],
  });

/** One question for each dimension. */
export const DIMENSION_PROMPTS: Readonly<Record<Dimension, PromptDefinition>> = {
  valence: question("valence", "How pleasant does the speaker feel, from 1 (very unpleasant) to 5 (very pleasant)?"),
  activation: question("activation", "How excited is the speaker, from 1 (very calm) to 5 (very excited)?"),
  dominance: question("dominance", "How much in control is the speaker, from 1 (very weak) to 5 (very strong)?"),
};

/** The dimension that a prompt of {@link DIMENSION_PROMPTS} asks for. */
export const dimensionOf = (prompt: PromptDefinition): Dimension =>
  DIMENSIONS.find((d) => DIMENSION_PROMPTS[d] === prompt) as Dimension;

/** A rating as shares of the two levels around it, so that the expected level is the rating; ratings outside are taken to the end. */
export function levelTargets(value: number, levels: readonly string[]): number[] {
  const numbers = levels.map(Number);
  const inside = Math.min(Math.max(value, numbers[0] as number), numbers.at(-1) as number);
  return numbers.map((level) => Math.max(0, 1 - Math.abs(inside - level)));
}
