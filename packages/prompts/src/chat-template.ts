/**
 * @file Chat templates: Jinja, as `apply_chat_template` of transformers renders them (`trim_blocks`, `lstrip_blocks`), with one
 * difference that matters here: the date. Several families write today's date into the system turn, so a prompt would change
 * from one day to the next, and with it every answer. Here the date is a setting, fixed by default.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { rewriteStripCalls, STRIP_FUNCTIONS } from "./strip-calls.ts";

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** How a conversation is rendered. */
export interface ChatOptions {
  /** Ends with the opening of the assistant's turn. Default `true`. */
  readonly addGenerationPrompt?: boolean;
  /** The date that templates see as today's, `YYYY-MM-DD`. Default 2024-07-26, the one Llama 3's own template falls back to. */
  readonly date?: string;
  /** Whatever else the template reads, under its own name. `enable_thinking` is `false` unless given: labels are scored, not reasoned. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Renders messages to text. Throws `prompt_invalid` with the template's own words where it refuses them. */
export type ChatTemplate = (messages: readonly ChatMessage[], options?: ChatOptions) => string;

/** The date of {@link ChatOptions.date} when none is given. */
export const DEFAULT_DATE = "2024-07-26";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** `strftime` of one date at 00:00:00, in English, for the directives that a template can ask of a date. */
export function formatDate(date: string, format: string): string {
  const parsed = /^(\d{4})-(\d{2})-(\d{2})$/.test(date) ? new Date(`${date}T00:00:00Z`) : new Date(Number.NaN);
  if (Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 10) !== date)
    throw new EmosllmError("prompt_invalid", `date '${date}' is not a day written YYYY-MM-DD`);
  const month = MONTHS[parsed.getUTCMonth()] ?? "";
  const day = DAYS[parsed.getUTCDay()] ?? "";
  const [yyyy = "", mm = "", dd = ""] = date.split("-");
  const fields: Record<string, string> = {
    Y: yyyy,
    y: yyyy.slice(2),
    m: mm,
    d: dd,
    e: String(Number(dd)).padStart(2),
    B: month,
    b: month.slice(0, 3),
    h: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    F: date,
    H: "00",
    I: "12",
    M: "00",
    S: "00",
    p: "AM",
    "%": "%",
  };
  return format.replace(/%([-a-zA-Z%])([a-zA-Z])?/g, (all, flag: string, next?: string) => {
    if (flag === "-" && next !== undefined) return fields[next]?.replace(/^0(?=.)/, "") ?? all;
    const value = fields[flag];
    return value === undefined ? all : value + (next ?? "");
  });
}

function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0) throw new RangeError("range() step must not be zero");
  return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step);
}

/**
 * Compiles a chat template.
 *
 * @param specialTokens what the template calls `bos_token`, `eos_token`, ...
 * @throws EmosllmError `checkpoint_invalid` where the template is not Jinja.
 */
export function compileChatTemplate(
  template: string,
  specialTokens: Readonly<Record<string, string>>,
  where = "chat_template",
): ChatTemplate {
  let program: ReturnType<typeof parse>;
  try {
    program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
    rewriteStripCalls(program);
  } catch (cause) {
    throw new EmosllmError("checkpoint_invalid", `${where}: the chat template is not valid Jinja: ${text(cause)}`, {
      cause,
    });
  }
  return (messages, { addGenerationPrompt = true, date = DEFAULT_DATE, variables = {} } = {}) => {
    const globals: Record<string, unknown> = {
      true: true,
      True: true,
      false: false,
      False: false,
      none: null,
      None: null,
      range,
      raise_exception: (message: string) => {
        throw new Error(message);
      },
      strftime_now: (format: string) => formatDate(date, format),
      ...STRIP_FUNCTIONS,
      enable_thinking: false,
      ...specialTokens,
      ...variables,
      messages,
      add_generation_prompt: addGenerationPrompt,
    };
    const environment = new Environment();
    for (const [name, value] of Object.entries(globals)) environment.set(name, value);
    try {
      return (new Interpreter(environment).run(program) as { value: string }).value;
    } catch (cause) {
      throw new EmosllmError(
        "prompt_invalid",
        `the chat template refuses a conversation of ${messages.map((m) => m.role).join(", ")}: ${text(cause)}`,
        { cause },
      );
    }
  };
}

const text = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
