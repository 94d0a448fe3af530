/** @file Text from a bundle's language model, token by token, for one item at a time. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { WritingInput, WritingOptions } from "@emosllm/model";
import { decodePayload } from "./decode.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { settled } from "./settled.ts";
import type { GenerateChunk, GenerateInput, GenerateOutput, ItemResult, Phase, TokenChance } from "./tasks.ts";

/** What a batch can say before it is done, and hears while it runs. */
export interface BatchContext {
  readonly signal: AbortSignal;
  say(chunk: GenerateChunk): void;
  /** What was done since the last call (or the start). */
  did(phase: Phase["name"]): void;
}

/** Answers in the order of `inputs`. */
export async function generateBatch(
  model: LoadedModel,
  inputs: readonly GenerateInput[],
  context: BatchContext,
): Promise<readonly ItemResult<"generate">[]> {
  const results: ItemResult<"generate">[] = [];
  for (const input of inputs) results.push(await settled(() => write(model, input, context)));
  return results;
}

async function write(
  { emosllm, info }: LoadedModel,
  { messages, transcribe, options, limits }: GenerateInput,
  { signal, say, did }: BatchContext,
): Promise<GenerateOutput> {
  let seconds = 0;
  const sound = async (audio: Parameters<typeof decodePayload>[0]): Promise<Float32Array> => {
    const samples = await decodePayload(audio, info.sampleRate, limits);
    seconds += samples.length / info.sampleRate;
    return samples;
  };
  const input: WritingInput = transcribe
    ? { audio: await sound(transcribe.audio) }
    : {
        messages: await Promise.all(
          (messages ?? []).map(async ({ role, content }) => ({
            role,
            content: await Promise.all(
              content.map(async (part) =>
                part.type === "text" ? part : { type: "audio" as const, audio: await sound(part.audio) },
              ),
            ),
          })),
        ),
      };
  did("decode");
  const asked: WritingOptions = { ...options, signal, ...(transcribe ? { task: "transcription" } : {}) };
  const [promptTokens = 0] = await emosllm.countTokens([input], transcribe ? { task: "transcription" } : {});
  const token = (id: number): string => emosllm.tokenizer.decode([id]);
  const chances: TokenChance[] = [];
  let text = "";
  let completionTokens = 0;
  let finishReason: GenerateOutput["finishReason"] = "length";
  for await (const event of emosllm.stream([input], asked)) {
    completionTokens++;
    text += event.text;
    if (event.finish_reason) finishReason = event.finish_reason;
    const chance: TokenChance | undefined =
      event.logprob === undefined
        ? undefined
        : {
            token: token(event.id),
            logprob: event.logprob,
            top: (event.top_logprobs ?? []).map(({ id, logprob }) => ({ token: token(id), logprob })),
          };
    if (chance) chances.push(chance);
    if (event.text !== "" || chance) say({ text: event.text, ...(chance ? { chance } : {}) });
    // Lets a message that cancels come in.
    await nextTurn();
  }
  did("generate");
  return { text, finishReason, promptTokens, completionTokens, seconds, chances };
}
