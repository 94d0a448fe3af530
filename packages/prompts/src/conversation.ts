/**
 * @file A conversation, with sound in it, as token ids around the places of the sound. As in `renderPrompt` the chat template sees marks
 * only: whatever a turn says, be it a control token's name, is tokenised as plain text.
 */
import { EmosllmError } from "@emosllm/interfaces";
import type { ChatMessage, ChatOptions } from "./chat-template.ts";
import { SLOT_CLOSE, SLOT_OPEN } from "./content.ts";
import type { TextPiece } from "./sections.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A part of a turn: text, or sound, which is whatever the caller takes for it. */
export type ConversationPart<Audio> =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "audio"; readonly audio: Audio };

/** A turn. Parts stand one to a line, as the prompts of the library have them. */
export interface ConversationMessage<Audio> {
  readonly role: ChatMessage["role"];
  readonly content: string | readonly ConversationPart<Audio>[];
}

/** Ids, and sounds between them. */
export type ConversationPiece<Audio> = { readonly ids: readonly number[] } | { readonly audio: Audio };

const MARK = new RegExp(`${SLOT_OPEN}(\\d+)${SLOT_CLOSE}`, "u");

/**
 * Renders a conversation up to where the assistant answers. White space around a part is dropped.
 *
 * @throws EmosllmError `prompt_invalid` where there is no turn, the last one is the assistant's, a turn is empty, or the template refuses.
 */
export function renderConversation<Audio>(
  messages: readonly ConversationMessage<Audio>[],
  tokenizer: Tokenizer,
  options: Omit<ChatOptions, "addGenerationPrompt"> = {},
): ConversationPiece<Audio>[] {
  const refuse = (problem: string): never => {
    throw new EmosllmError("prompt_invalid", `messages: ${problem}`);
  };
  if (messages.length === 0) refuse("there are none");
  if (messages.at(-1)?.role === "assistant") refuse("the last turn is the assistant's own; nobody asks it anything");
  const parts: ConversationPart<Audio>[] = [];
  const marked = messages.map(({ role, content }, i): ChatMessage => {
    const list = typeof content === "string" ? [{ type: "text", text: content } as const] : content;
    const said = list.filter((part) => part.type === "audio" || part.text.trim() !== "");
    if (said.length === 0) refuse(`turn ${i} (${role}) is empty`);
    return { role, content: said.map((part) => `${SLOT_OPEN}${parts.push(part) - 1}${SLOT_CLOSE}`).join("\n") };
  });
  const pieces: ConversationPiece<Audio>[] = [];
  let open: TextPiece[] = [];
  const close = (): void => {
    if (open.length > 0) pieces.push({ ids: tokenizer.encodePieces(open, { continues: pieces.length > 0 }) });
    open = [];
  };
  const seen = parts.map(() => 0);
  tokenizer
    .renderChat(marked, { ...options, addGenerationPrompt: true })
    .split(MARK)
    .forEach((text, i) => {
      const part = i % 2 === 1 ? parts[Number(text)] : undefined;
      if (!part) {
        open.push({ text, trusted: true });
        return;
      }
      seen[Number(text)]! += 1;
      if (part.type === "text") {
        open.push({ text: part.text.trim(), trusted: false });
        return;
      }
      close();
      pieces.push({ audio: part.audio });
    });
  close();
  if (seen.some((count) => count !== 1))
    refuse("the chat template drops or repeats a turn (roles may have to alternate, from the user's on)");
  return pieces;
}
