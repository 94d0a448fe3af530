/** @file Parts that a chat completion has in common with its stream. */
import type { ChatCompletion } from "../openai-schemas.ts";
import type { GenerateOutput, TokenChance } from "../pool/tasks.ts";

const bytesOf = (text: string): number[] => [...Buffer.from(text)];

/** `logprobs` as OpenAI has them. */
export const logprobsOf = (
  chances: readonly TokenChance[],
): NonNullable<ChatCompletion["choices"][number]["logprobs"]> => ({
  content: chances.map(({ token, logprob, top }) => ({
    token,
    logprob,
    bytes: bytesOf(token),
    top_logprobs: top.map((t) => ({ ...t, bytes: bytesOf(t.token) })),
  })),
});

/** `usage` as OpenAI has it. */
export const usageOf = ({
  promptTokens,
  completionTokens,
}: Pick<GenerateOutput, "promptTokens" | "completionTokens">): ChatCompletion["usage"] => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
});
