/** @file What a chat template does around an answer, found by rendering a probe: its lead, its end, and whether system turns are taken. */
import type { ChatTemplate } from "./chat-template.ts";

/** How a template frames the assistant's turn. */
export interface AnswerFrame {
  /** A conversation up to where the answer begins. */
  readonly opening: string;
  /** Text between the generation prompt and the answer (Mistral writes a space). */
  readonly lead: string;
  /** Text after the answer. */
  readonly closing: string;
  readonly acceptsSystem: boolean;
}

/** A private-use character: no template trims it, and no vocabulary holds it. */
const PROBE = "\uE0F0";

/** Renders probes; a template that refuses them leaves its part empty. */
export function probeAnswerFrame(render: ChatTemplate): AnswerFrame {
  const attempt = (...args: Parameters<ChatTemplate>): string => {
    try {
      return render(...args);
    } catch {
      return "";
    }
  };
  const user = { role: "user", content: "x" } as const;
  const acceptsSystem = attempt([{ role: "system", content: PROBE }, user]).includes(PROBE);
  const opening = attempt([user]);
  const closed = attempt([user, { role: "assistant", content: PROBE }], { addGenerationPrompt: false });
  const [before = "", closing = ""] = closed.split(PROBE);
  const lead = closed !== "" && before.startsWith(opening) ? before.slice(opening.length) : "";
  return { opening, lead, closing, acceptsSystem };
}
