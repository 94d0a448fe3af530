/**
 * @file A prompt with its slots filled, as token ids around the place of the audio. The chat template never sees what stands in a slot:
 * it renders marks, and their content is tokenised as plain text, so nothing that was said can become a control token or template.
 */
import { EmosllmError } from "@emosllm/interfaces";
import type { ChatMessage, ChatOptions } from "./chat-template.ts";
import { fillContent, parseContent, SLOT_CLOSE, SLOT_OPEN, type Content } from "./content.ts";
import { SLOTS, type PromptDefinition, type Slot } from "./definition.ts";
import type { TextPiece } from "./sections.ts";
import { writeSlots, type SlotValues } from "./slots.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A rendered prompt: `before` ids, then the audio's vectors, then `after` ids, then the answer. */
export interface RenderedPrompt {
  readonly before: number[];
  readonly after: number[];
  /** `before` and `after` in one. */
  readonly ids: number[];
  /** The index in `ids` before which the audio stands, or `null` where it was left out (then all ids are `before`). */
  readonly audioAt: number | null;
  /** For people: the text, with `<audio>` in its place. */
  readonly text: string;
  /** Slots that the prompt has and that were not filled. */
  readonly missing: readonly Slot[];
}

const MARK = new RegExp(`${SLOT_OPEN}(\\d+)${SLOT_CLOSE}`, "u");
const parsed = new WeakMap<PromptDefinition, readonly Content[]>();

/**
 * Renders a prompt through the backbone's chat template, up to where the answer begins.
 *
 * @throws EmosllmError `prompt_invalid` where the template refuses the messages, drops or repeats a slot, or where nothing is left to ask.
 * @example
 * const { before, after } = renderPrompt(prompt, { transcript: "it's fine", labels: ["angry", "sad"] }, tokenizer);
 */
export function renderPrompt(
  prompt: PromptDefinition,
  values: SlotValues,
  tokenizer: Tokenizer,
  options: Omit<ChatOptions, "addGenerationPrompt"> = {},
): RenderedPrompt {
  let contents = parsed.get(prompt);
  if (contents === undefined)
    parsed.set(prompt, (contents = prompt.messages.map((message) => parseContent(message.content, SLOTS))));
  const filled = writeSlots(prompt, values);
  const used: Slot[] = [];
  const messages: ChatMessage[] = prompt.messages.flatMap(({ role }, i) => {
    const content = contents[i];
    if (content === undefined) return [];
    const text = fillContent(
      content,
      (slot) => filled.has(slot as Slot),
      (slot) => `${SLOT_OPEN}${used.push(slot as Slot) - 1}${SLOT_CLOSE}`,
    );
    return text === "" ? [] : [{ role, content: text }];
  });
  if (messages.at(-1)?.role !== "user")
    throw new EmosllmError(
      "prompt_invalid",
      `prompt '${prompt.name}': nothing is left of the last message without ${missing(contents, filled).join(", ")}`,
    );

  const rendered = tokenizer.renderChat(messages, { ...options, addGenerationPrompt: true });
  const parts = rendered.split(MARK);
  const sides: TextPiece[][] = [[]];
  const seen = used.map(() => 0);
  parts.forEach((part, i) => {
    if (i % 2 === 0) {
      sides.at(-1)?.push({ text: part, trusted: true });
      return;
    }
    const slot = used[Number(part)];
    if (slot === undefined) return;
    seen[Number(part)]! += 1;
    if (slot === "audio") sides.push([]);
    else sides.at(-1)?.push({ text: filled.get(slot) ?? "", trusted: false });
  });
  const wrong = seen.findIndex((count) => count !== 1);
  if (wrong >= 0)
    throw new EmosllmError(
      "prompt_invalid",
      `prompt '${prompt.name}': the chat template writes slot '${used[wrong]}' ${seen[wrong]} times; expected once`,
    );
  const [first = [], second] = sides;
  const before = tokenizer.encodePieces(first);
  const after = second === undefined ? [] : tokenizer.encodePieces(second, { continues: true });
  return {
    before,
    after,
    ids: [...before, ...after],
    audioAt: second === undefined ? null : before.length,
    text: sides.map((pieces) => pieces.map((piece) => piece.text).join("")).join("<audio>"),
    missing: missing(contents, filled),
  };
}

function missing(contents: readonly Content[], filled: ReadonlyMap<Slot, string>): Slot[] {
  const slots = new Set(contents.flatMap((content) => content.slots as Slot[]));
  return SLOTS.filter((slot) => slots.has(slot) && !filled.has(slot));
}
