/** @file Generation: prompts in, tokens and text out as they come, several rows at once. */
import { type TokenLogprob, draw, likeliest, logprobsOf, randomStream } from "./choose.ts";
import { keepRows, replaceRow } from "./cache.ts";
import type { Engine, SharedPrompt } from "./engine.ts";
import type { Parameters, RowInputs } from "./pass.ts";
import type { Token } from "./tokens.ts";
import { processLogits } from "./logits.ts";
import { type GenerationOptions, resolveOptions } from "./options.ts";
import { type Decode, textStream } from "./text.ts";

/** Why a row ended: a stop string or an end token, or `max_new_tokens`. */
export type FinishReason = "stop" | "length";

/** What one more token of one row brought. */
export interface GenerationEvent {
  /** Index of the prompt. */
  readonly row: number;
  readonly id: number;
  /** Text that is certain by now; may be empty, may be more than this token's. */
  readonly text: string;
  readonly logprob?: number;
  readonly top_logprobs?: readonly TokenLogprob[];
  /** Of the row's last token. */
  readonly finish_reason?: FinishReason;
  /** The stop string that ended the row. */
  readonly stop_string?: string;
}

/** A finished row. */
export interface Generated {
  readonly text: string;
  /** Tokens, an end token included. */
  readonly ids: readonly number[];
  readonly finish_reason: FinishReason;
  readonly stop_string?: string;
  readonly logprobs?: readonly {
    readonly id: number;
    readonly logprob: number;
    readonly top: readonly TokenLogprob[];
  }[];
}

/** What {@link generate} works with, beside the prompts. */
export interface GenerationSetting {
  readonly engine: Engine;
  /** Ids to text; special tokens are never text. */
  readonly decode: Decode;
  /** Tokens that end a row unless the options say otherwise. */
  readonly eos: readonly number[];
  readonly parameters?: Parameters;
  readonly rowInputs?: RowInputs;
  /** What all prompts begin with, already run. */
  readonly shared?: SharedPrompt | undefined;
}

interface Row {
  readonly row: number;
  readonly prompt: readonly Token[];
  readonly said: Set<number>;
  readonly random: () => number;
  readonly stream: ReturnType<typeof textStream>;
  readonly ids: number[];
}

/**
 * Generates after each prompt; events of several rows come token by token, row by row. A row's tokens do not depend on its neighbours.
 * Throws EmosllmError `usage` for wrong options, the signal's reason when it is aborted.
 */
export async function* generate(
  { engine, decode, eos, parameters = {}, rowInputs = {}, shared }: GenerationSetting,
  prompts: readonly (readonly Token[])[],
  options: GenerationOptions = {},
): AsyncGenerator<GenerationEvent, void, undefined> {
  const asked = resolveOptions(options, eos);
  const { signal } = asked;
  signal?.throwIfAborted();
  const isEnd = new Set(asked.eos);
  const longest = Math.max(...prompts.map((p) => p.length));
  let rows: Row[] = prompts.map((prompt, row) => ({
    row,
    prompt,
    said: new Set(prompt.filter((t) => typeof t === "number")),
    random: randomStream(asked.seed, row),
    stream: textStream(decode, asked.stopStrings),
    ids: [],
  }));
  const inputsOf = (some: readonly Row[]): RowInputs =>
    Object.fromEntries(
      Object.entries(rowInputs).map(([name, values]) => [name, some.map((r) => values[r.row] as number)]),
    );
  // Room for a short answer at once; a longer one grows by blocks.
  const slots = longest + Math.min(asked.maxNewTokens, 64);
  const { cache, logits: first } = await engine.prefill(prompts, { shared, parameters, rowInputs, slots });
  let logits: readonly Float32Array[] = first;
  for (;;) {
    const going: number[] = [];
    for (const [i, state] of rows.entries()) {
      const raw = logits[i] as Float32Array;
      const scores = processLogits(raw, asked, { said: state.said, newTokens: state.ids.length });
      const id = asked.sample ? draw(scores, state.random) : likeliest(scores);
      state.ids.push(id);
      state.said.add(id);
      const ended = isEnd.has(id);
      const step = ended ? { text: "", stop: undefined } : state.stream.push(id);
      const reason: FinishReason | undefined =
        ended || step.stop !== undefined ? "stop" : state.ids.length >= asked.maxNewTokens ? "length" : undefined;
      const text = reason === undefined || step.stop !== undefined ? step.text : step.text + state.stream.flush();
      if (reason === undefined) going.push(i);
      const probabilities = asked.topLogprobs === undefined ? undefined : logprobsOf(raw, id, asked.topLogprobs);
      yield {
        row: state.row,
        id,
        text,
        ...(probabilities ? { logprob: probabilities.logprob, top_logprobs: probabilities.top } : {}),
        ...(reason === undefined ? {} : { finish_reason: reason }),
        ...(step.stop === undefined ? {} : { stop_string: step.stop }),
      };
      signal?.throwIfAborted();
    }
    if (going.length === 0) return;
    keepRows(cache, going);
    rows = going.map((i) => rows[i] as Row);
    const next = [
      ...(await engine.decode(
        cache,
        rows.map((r) => r.ids.at(-1) as number),
        { parameters, rowInputs: inputsOf(rows) },
      )),
    ];
    for (const [i, row] of rows.entries()) {
      const { prompt, ids } = row;
      if (prompt.length + ids.length !== engine.switchesAt) continue;
      const anew = await engine.prefill([[...prompt, ...ids]], { parameters, rowInputs: inputsOf([row]) });
      replaceRow(cache, i, anew.cache);
      next[i] = anew.logits[0] as Float32Array;
    }
    logits = next;
    signal?.throwIfAborted();
  }
}

/** The finished rows of a {@link generate}. */
export async function collectGenerated(events: AsyncIterable<GenerationEvent>): Promise<Generated[]> {
  const rows: {
    text: string;
    ids: number[];
    last: GenerationEvent;
    logprobs: NonNullable<Generated["logprobs"]>[number][];
  }[] = [];
  for await (const event of events) {
    const row = (rows[event.row] ??= { text: "", ids: [], last: event, logprobs: [] });
    row.text += event.text;
    row.ids.push(event.id);
    row.last = event;
    if (event.logprob !== undefined)
      row.logprobs.push({ id: event.id, logprob: event.logprob, top: event.top_logprobs ?? [] });
  }
  return rows.map(({ text, ids, last, logprobs }) => ({
    text,
    ids,
    finish_reason: last.finish_reason ?? "length",
    ...(last.stop_string === undefined ? {} : { stop_string: last.stop_string }),
    ...(logprobs.length > 0 ? { logprobs } : {}),
  }));
}
