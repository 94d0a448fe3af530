/** @file What a caller may ask of generation, under the names of transformers' `GenerationConfig`, and a model folder's `generation_config.json`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";

/** Names and meanings are those of transformers' `GenerationConfig`, but for `seed`, `logprobs`, `top_logprobs` (OpenAI's) and `signal`. */
export interface GenerationOptions {
  /** Default 128. */
  readonly max_new_tokens?: number | undefined;
  /** No end before so many tokens. */
  readonly min_new_tokens?: number | undefined;
  /** Draw instead of taking the likeliest token. Default `false`. */
  readonly do_sample?: boolean | undefined;
  /** Logits are divided by it (sampling only). */
  readonly temperature?: number | undefined;
  /** Draw among the k likeliest (sampling only); 0: all. */
  readonly top_k?: number | undefined;
  /** Draw among the likeliest that together have this probability (sampling only). */
  readonly top_p?: number | undefined;
  /** Above 1 what was said (in the prompt too) becomes unlikelier. Keskar et al. 2019. */
  readonly repetition_penalty?: number | undefined;
  /** Texts that end a row; the text given leaves them out. */
  readonly stop_strings?: string | readonly string[] | undefined;
  /** Tokens that end a row; what the model says when not given. */
  readonly eos_token_id?: number | readonly number[] | undefined;
  /** Of the draws. Row i with seed s draws the same whatever its neighbours. Default 0. */
  readonly seed?: number | undefined;
  /** Give each token's log-probability, of the model's own distribution, before temperature and everything else. */
  readonly logprobs?: boolean | undefined;
  /** Also the so many likeliest tokens with theirs; at most 20. */
  readonly top_logprobs?: number | undefined;
  /** Ends generation between two tokens: the reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** {@link GenerationOptions} checked, with every default in place. */
export interface ResolvedOptions {
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
  readonly sample: boolean;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
  readonly stopStrings: readonly string[];
  readonly eos: readonly number[];
  readonly seed: number;
  /** undefined: no log-probabilities at all. */
  readonly topLogprobs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

const KEYS = {
  max_new_tokens: true,
  min_new_tokens: true,
  do_sample: true,
  temperature: true,
  top_k: true,
  top_p: true,
  repetition_penalty: true,
  stop_strings: true,
  eos_token_id: true,
  seed: true,
  logprobs: true,
  top_logprobs: true,
  signal: true,
} as const satisfies Record<keyof GenerationOptions, true>;

/** The most {@link GenerationOptions.top_logprobs}. */
export const MOST_TOP_LOGPROBS = 20;

/** Checks options. Throws EmosllmError `usage` naming the option, its value and what is accepted. */
export function resolveOptions(options: GenerationOptions, defaultEos: readonly number[]): ResolvedOptions {
  const refuse = (name: string, value: unknown, accepted: string): never => {
    throw new EmosllmError("usage", `${name} must be ${accepted}, not ${JSON.stringify(value) ?? String(value)}`);
  };
  for (const name of Object.keys(options))
    if (!(name in KEYS))
      throw new EmosllmError("usage", `'${name}' is no generation option; there are ${Object.keys(KEYS).join(", ")}`);
  const number = (
    name: keyof GenerationOptions,
    fallback: number,
    accepted: string,
    accepts: (n: number) => boolean,
  ): number => {
    const value = options[name] ?? fallback;
    return typeof value === "number" && Number.isFinite(value) && accepts(value)
      ? value
      : refuse(name, value, accepted);
  };
  const flag = (name: "do_sample" | "logprobs"): boolean => {
    const value: unknown = options[name] ?? false;
    return typeof value === "boolean" ? value : refuse(name, value, "true or false");
  };
  const whole = Number.isInteger;
  const stops = options.stop_strings ?? [];
  const stopStrings = typeof stops === "string" ? [stops] : stops;
  if (!Array.isArray(stopStrings) || !stopStrings.every((s): s is string => typeof s === "string" && s !== ""))
    refuse("stop_strings", stops, "texts that are not empty");
  const ids = options.eos_token_id ?? defaultEos;
  const eos = typeof ids === "number" ? [ids] : ids;
  if (!Array.isArray(eos) || !eos.every((id) => whole(id) && id >= 0)) refuse("eos_token_id", ids, "token ids");
  const topLogprobs = number(
    "top_logprobs",
    0,
    `a whole number from 0 to ${MOST_TOP_LOGPROBS}`,
    (n) => whole(n) && n >= 0 && n <= MOST_TOP_LOGPROBS,
  );
  const asked = flag("logprobs") || topLogprobs > 0;
  const maxNewTokens = number("max_new_tokens", 128, "a whole number >= 1", (n) => whole(n) && n >= 1);
  return {
    maxNewTokens,
    minNewTokens: number(
      "min_new_tokens",
      0,
      `a whole number from 0 to max_new_tokens (${maxNewTokens})`,
      (n) => whole(n) && n >= 0 && n <= maxNewTokens,
    ),
    sample: flag("do_sample"),
    temperature: number("temperature", 1, "a number above 0 (for the likeliest token: do_sample false)", (n) => n > 0),
    topK: number("top_k", 0, "a whole number >= 0", (n) => whole(n) && n >= 0),
    topP: number("top_p", 1, "a number above 0, at most 1", (n) => n > 0 && n <= 1),
    repetitionPenalty: number("repetition_penalty", 1, "a number above 0", (n) => n > 0),
    stopStrings,
    eos,
    seed: number("seed", 0, "a whole number", whole),
    topLogprobs: asked ? topLogprobs : undefined,
    signal: options.signal,
  };
}

/** Fields of `generation_config.json` that this package knows; an empty object where there is no such file. Throws EmosllmError `checkpoint_invalid`. */
export async function readGenerationConfig(folder: string): Promise<GenerationOptions> {
  const file = join(folder, "generation_config.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new EmosllmError("checkpoint_not_found", `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new EmosllmError("checkpoint_invalid", `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw))
    throw new EmosllmError("checkpoint_invalid", `${file}: an object is expected, not ${text.slice(0, 40)}`);
  const known = Object.fromEntries(
    Object.entries(raw).filter(([name, value]) => name in KEYS && name !== "signal" && value !== null),
  ) as GenerationOptions;
  try {
    resolveOptions(known, []);
  } catch (cause) {
    throw new EmosllmError("checkpoint_invalid", `${file}: ${(cause as Error).message}`, { cause });
  }
  return known;
}
