/** @file A prompt as data: messages with slots, how its lists are written, and its content hash. */
import { createHash } from "node:crypto";
import { EmosllmError } from "@emosllm/interfaces";
import { z } from "zod";
import { parseContent, type Content } from "./content.ts";

/** What a prompt asks for; `context` is emotion with the dialogue before the utterance. */
export const PROMPT_TASKS = ["emotion", "context", "transcription", "description"] as const;
/** One of {@link PROMPT_TASKS}. */
export type PromptTask = (typeof PROMPT_TASKS)[number];

/** What can stand in braces in a message. */
export const SLOTS = ["audio", "transcript", "voice", "context", "labels", "examples"] as const;
/** One of {@link SLOTS}. */
export type Slot = (typeof SLOTS)[number];

/** How the slot `labels` is written: `a, b, c` · `a, b or c` · `"a", "b"` · one per line · `A. a` · `1. a` · `a: its definition`. */
export const LABEL_STYLES = ["comma", "or", "quoted", "lines", "lettered", "numbered", "defined"] as const;
/** One of {@link LABEL_STYLES}. */
export type LabelStyle = (typeof LABEL_STYLES)[number];

/** What the model answers: a label word, the letter or number of an option, or free text. */
export const ANSWER_STYLES = ["word", "letter", "number", "text"] as const;
/** One of {@link ANSWER_STYLES}. */
export type AnswerStyle = (typeof ANSWER_STYLES)[number];

/** One message of a prompt; `{slot}` marks a slot, `{{` and `}}` are braces. */
export interface PromptMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** A prompt. On disk: YAML with these names. */
export interface PromptDefinition {
  readonly name: string;
  readonly task: PromptTask;
  /** BCP 47, e.g. `en`. */
  readonly language: string;
  /** Ends with a user message; the slot `audio` stands exactly once, in a user message. */
  readonly messages: readonly PromptMessage[];
  readonly labels: LabelStyle;
  readonly answer: AnswerStyle;
  /** How one example of the slot `examples` is written, with `{transcript}`, `{voice}` and `{answer}`. */
  readonly example: string;
  /** How one turn of the slot `context` is written, with `{speaker}` and `{text}`. */
  readonly turn: string;
}

/** A prompt as written: what may be left out has its default. */
export type PromptInput = Pick<PromptDefinition, "name" | "messages"> & Partial<PromptDefinition>;

/** One thing wrong with a prompt: where (keys and indices), at which character of that text, and what. */
export interface PromptProblem {
  readonly path: readonly (string | number)[];
  readonly offset?: number;
  readonly message: string;
}

const NATURAL_ANSWER: Partial<Record<LabelStyle, AnswerStyle>> = { lettered: "letter", numbered: "number" };
const IS_EMOTION: Record<PromptTask, boolean> = {
  emotion: true,
  context: true,
  transcription: false,
  description: false,
};

const schema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "use lower-case letters, digits, '.', '_' and '-'"),
  task: z.enum(PROMPT_TASKS).default("emotion"),
  language: z
    .string()
    .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, "expected a language tag such as en or pt-BR")
    .default("en"),
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string().trim().min(1) }))
    .min(1),
  labels: z.enum(LABEL_STYLES).default("comma"),
  answer: z.enum(ANSWER_STYLES).optional(),
  example: z.string().trim().min(1).default('Transcript: "{transcript}". Voice: {voice}. Answer: {answer}'),
  turn: z.string().trim().min(1).default("{speaker}: {text}"),
});

/** Reads a prompt from plain data, with every problem found: the definition, or what is wrong. */
export function readPrompt(
  value: unknown,
):
  | { readonly prompt: PromptDefinition; readonly problems: readonly [] }
  | { readonly problems: readonly PromptProblem[] } {
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    return {
      problems: parsed.error.issues.flatMap((issue): PromptProblem[] =>
        issue.code === "unrecognized_keys"
          ? issue.keys.map((key) => ({
              path: [...(issue.path as (string | number)[]), key],
              message: `'${key}' is not a key here; accepted: ${keysAt(issue.path.length).join(", ")}`,
            }))
          : [{ path: issue.path as (string | number)[], message: issue.message }],
      ),
    };
  const { answer, ...rest } = parsed.data;
  const natural = NATURAL_ANSWER[rest.labels] ?? (IS_EMOTION[rest.task] ? "word" : "text");
  const prompt: PromptDefinition = { ...rest, answer: answer ?? natural };
  const problems = checkPrompt(prompt);
  return problems.length > 0 ? { problems } : { prompt, problems: [] };
}

/**
 * Makes a prompt from plain data.
 *
 * @throws EmosllmError `prompt_invalid` naming every problem with its path.
 */
export function definePrompt(input: PromptInput): PromptDefinition {
  const result = readPrompt(input);
  if ("prompt" in result) return result.prompt;
  const lines = result.problems.map(({ path, message }) => `${path.join(".") || "prompt"}: ${message}`);
  throw new EmosllmError("prompt_invalid", lines.join("\n"), { details: { problems: result.problems } });
}

/** SHA-256 of what a prompt says (its name left out), as `sha256:HEX`: the same for the same content in any key order. */
export function promptHash({ task, language, messages, labels, answer, example, turn }: PromptDefinition): string {
  const canonical = JSON.stringify([
    task,
    language,
    messages.map((m) => [m.role, m.content]),
    labels,
    answer,
    example,
    turn,
  ]);
  return `sha256:${createHash("sha256").update(canonical).digest("hex")}`;
}

const keysAt = (depth: number): readonly string[] => (depth === 0 ? Object.keys(schema.shape) : ["role", "content"]);

/** What a schema cannot say: slots, order of roles, answers that fit the way labels are written. */
function checkPrompt(prompt: PromptDefinition): PromptProblem[] {
  const problems: PromptProblem[] = [];
  const check = (path: readonly (string | number)[], text: string, accepted: readonly string[]): Content => {
    const content = parseContent(text, accepted);
    problems.push(...content.problems.map(({ offset, message }) => ({ path, offset, message })));
    return content;
  };
  const audio: number[] = [];
  prompt.messages.forEach((message, i) => {
    const path = ["messages", i, "content"] as const;
    const { slots, lines } = check(path, message.content, SLOTS);
    for (const sentence of lines.flat()) {
      const names = sentence.flatMap((part) => ("slot" in part ? [part.slot] : []));
      const other = names.find((name) => name !== "audio" && name !== "labels");
      if (names.includes("audio") && other !== undefined)
        problems.push({
          path,
          offset: message.content.indexOf("{audio}"),
          message: `slot 'audio' shares a sentence with '${other}', without which the audio would be left out too; put them on lines of their own`,
        });
    }
    for (const slot of slots) if (slot === "audio") audio.push(i);
    if (slots.includes("audio") && message.role !== "user")
      problems.push({
        path,
        message: `slot 'audio' stands in a ${message.role} message; it belongs in a user message`,
      });
    if (message.role === "system" && i > 0)
      problems.push({ path: ["messages", i, "role"], message: "a system message can only be the first" });
  });
  if (audio.length !== 1)
    problems.push({
      path: ["messages", audio[1] ?? prompt.messages.length - 1],
      message: `slot 'audio' stands ${audio.length} times in the messages; expected exactly once`,
    });
  const last = prompt.messages.length - 1;
  if (prompt.messages[last]?.role !== "user")
    problems.push({ path: ["messages", last, "role"], message: "the last message must be the user's" });
  check(["example"], prompt.example, ["transcript", "voice", "answer"]);
  check(["turn"], prompt.turn, ["speaker", "text"]);
  const needed = { letter: "lettered", number: "numbered", word: undefined, text: undefined }[prompt.answer];
  if (needed !== undefined && prompt.labels !== needed)
    problems.push({
      path: ["answer"],
      message: `answer '${prompt.answer}' needs labels: ${needed}, not ${prompt.labels}`,
    });
  return problems;
}
