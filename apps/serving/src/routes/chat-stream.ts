/** @file A chat completion as server-sent events. */
import { toServiceError, errorBody } from "../errors.ts";
import type { Call } from "../http/route.ts";
import type { ChatChunk } from "../openai-schemas.ts";
import type { GenerateChunk, GenerateInput, ModelInfo } from "../pool/tasks.ts";
import { ask } from "../service.ts";
import { logprobsOf, usageOf } from "./chat-parts.ts";

/** Answers when the first text (or an error, with its status) is there. */
export async function streamChat(
  call: Call,
  model: ModelInfo,
  input: GenerateInput,
  includeUsage: boolean,
): Promise<Response> {
  const gone = new AbortController();
  const signal = AbortSignal.any([call.signal, gone.signal]);
  const chunks: GenerateChunk[] = [];
  let wake: () => void = () => undefined;
  let woken = new Promise<void>((resolve) => (wake = resolve));
  const onChunk = (chunk: GenerateChunk): void => {
    chunks.push(chunk);
    wake();
  };
  let ended = false;
  const done = ask({ ...call, signal }, model, "generate", input, onChunk).finally(() => {
    ended = true;
    wake();
  });
  // Told to whoever waits below; a caller that has gone is told nothing.
  done.catch(() => undefined);
  await Promise.race([woken, done]);

  const base = { id: `chatcmpl-${call.id}`, created: Math.floor(Date.now() / 1000), model: model.id };
  const event = (choices: ChatChunk["choices"], usage?: ChatChunk["usage"]): ChatChunk => ({
    ...base,
    object: "chat.completion.chunk",
    choices,
    ...(includeUsage ? { usage: usage ?? null } : {}),
  });
  const delta = (
    content: ChatChunk["choices"][number]["delta"],
    rest: Partial<ChatChunk["choices"][number]> = {},
  ): ChatChunk => event([{ index: 0, delta: content, finish_reason: null, logprobs: null, ...rest }]);

  async function* events(): AsyncGenerator<unknown> {
    yield delta({ role: "assistant", content: "" });
    for (;;) {
      for (const { text, chance } of chunks.splice(0))
        yield delta({ content: text }, chance ? { logprobs: logprobsOf([chance]) } : {});
      if (ended && chunks.length === 0) break;
      woken = new Promise<void>((resolve) => (wake = resolve));
      if (!ended && chunks.length === 0) await woken;
    }
    const { output } = await done;
    yield delta({}, { finish_reason: output.finishReason });
    if (includeUsage) yield event([], usageOf(output));
  }

  const encoder = new TextEncoder();
  const iterator = events();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const say = (text: string): void => controller.enqueue(encoder.encode(`data: ${text}\n\n`));
      try {
        const next = await iterator.next();
        if (!next.done) return say(JSON.stringify(next.value));
        say("[DONE]");
      } catch (error) {
        // The status has been sent: the stream says what went wrong, and ends without [DONE].
        say(JSON.stringify(errorBody(toServiceError(error), call.id)));
      }
      controller.close();
    },
    cancel: () => gone.abort(),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
}
