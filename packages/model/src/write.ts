/** @file What a bundle's model can be asked to write: what is said, how it is said, or an answer in a conversation about sound. */
import { type GenerationOptions, type PromptPart, type Token, tokensOf } from "@emosllm/generation";
import { EmosllmError } from "@emosllm/interfaces";
import {
  type ConversationMessage,
  type PromptDefinition,
  type Tokenizer,
  promptLibrary,
  renderConversation,
  renderPrompt,
} from "@emosllm/prompts";
import type { Sound } from "./hear.ts";

/** Tasks with prompts in the library. */
export const WRITING_TASKS = ["transcription", "description"] as const;
/** One of {@link WRITING_TASKS}. */
export type WritingTask = (typeof WRITING_TASKS)[number];

/** What is to be written about: an utterance under a task's prompt, or a conversation. */
export interface WritingInput {
  readonly audio?: Sound;
  readonly transcript?: string | undefined;
  readonly voice?: string | undefined;
  /** As of `score`: one of the option `adapters`, `null` for none. */
  readonly adapter?: string | null | undefined;
  /** A conversation instead; sound stands in its turns. */
  readonly messages?: readonly ConversationMessage<Sound>[] | undefined;
}

/** Options of `generate` and `stream`, beside those of generation. */
export interface WritingOptions extends GenerationOptions {
  /** Default `transcription`, for inputs that are no conversation. */
  readonly task?: WritingTask | undefined;
  /** The task's prompt: a name in the library, or one of your own. Default: the first of the library. */
  readonly prompt?: string | PromptDefinition | undefined;
  /** Of the library's prompts, BCP 47. Default `en`. */
  readonly language?: string | undefined;
}

/** Parts of {@link WritingOptions}. */
export function splitOptions({ task = "transcription", prompt, language = "en", ...generation }: WritingOptions): {
  readonly find: () => Promise<PromptDefinition>;
  readonly generation: GenerationOptions;
} {
  if (!WRITING_TASKS.includes(task))
    throw new EmosllmError("usage", `task must be one of ${WRITING_TASKS.join(", ")}, not ${JSON.stringify(task)}`);
  return {
    generation,
    find: async () =>
      typeof prompt === "object"
        ? prompt
        : ((
            await promptLibrary(prompt === undefined ? { task, language } : { task, name: prompt })
          )[0] as PromptDefinition),
  };
}

/** A prompt as pieces: ids, and sounds between them. */
export type PromptPiece = { readonly ids: readonly number[] } | { readonly audio: Sound };

/** The pieces of an input. Throws EmosllmError `usage` for an input with nothing to write about. */
export function piecesOf(
  input: WritingInput,
  at: number,
  prompt: PromptDefinition | undefined,
  tokenizer: Tokenizer,
): PromptPiece[] {
  const { audio, transcript, voice, messages } = input;
  if (messages !== undefined) {
    if (audio !== undefined)
      throw new EmosllmError(
        "usage",
        `Input ${at}: the sound of a conversation stands in its turns ({ type: "audio", audio }), not in 'audio'.`,
      );
    return renderConversation(messages, tokenizer);
  }
  if (audio === undefined && transcript === undefined && voice === undefined)
    throw new EmosllmError("usage", `Input ${at} has neither audio, nor a transcript, nor messages.`);
  const { before, after } = renderPrompt(
    prompt as PromptDefinition,
    { audio: audio !== undefined, transcript, voice },
    tokenizer,
  );
  return audio === undefined ? [{ ids: before }] : [{ ids: before }, { audio }, { ids: after }];
}

/** The pieces as tokens, sounds replaced by their vectors in order. */
export function promptTokens(
  pieces: readonly PromptPiece[],
  vectors: readonly (readonly Token[])[],
  hiddenSize: number,
): Token[] {
  let next = 0;
  return pieces.flatMap((piece): readonly Token[] =>
    "ids" in piece ? tokensOf([piece as PromptPart], hiddenSize) : (vectors[next++] as readonly Token[]),
  );
}
