/** @file The turns before each turn of a dialogue, with who said them. */
import type { Utterance } from "@emosllm/interfaces";

export interface ContextOptions {
  /** At most this many turns. Default 3. */
  turns?: number;
  /** At most this many characters of text in all, nearest turns first. Default no limit. */
  characters?: number;
  /** `same` and `other` take only turns of the same or of other speakers. Default `all`. */
  speakers?: "all" | "same" | "other";
}

/** One earlier turn. Labels are not part of it: at test time nobody knows them. */
export interface ContextTurn {
  id: string;
  turn: number | undefined;
  speaker: string | undefined;
  text: string;
}

/** An utterance with what was said before it, oldest first. */
export interface UtteranceInContext {
  utterance: Utterance;
  context: ContextTurn[];
}

/**
 * Context windows for each utterance, in the order given. Earlier turns may come from outside `utterances`: pass the whole
 * corpus as `pool` so that turns without a label of the scheme are not missing from the dialogue.
 * @example
 * contextWindows(test, { turns: 2 }, everything)[7].context; // [{ speaker: "01F", text: "Excuse me." , ... }, ...]
 */
export function contextWindows(
  utterances: readonly Utterance[],
  options: ContextOptions = {},
  pool: readonly Utterance[] = utterances,
): UtteranceInContext[] {
  const { turns = 3, characters = Infinity, speakers = "all" } = options;
  const dialogues = new Map<string, Utterance[]>();
  for (const u of pool) {
    if (u.dialogue === undefined || u.turn === undefined) continue;
    const known = dialogues.get(u.dialogue);
    if (known) known.push(u);
    else dialogues.set(u.dialogue, [u]);
  }
  for (const list of dialogues.values()) list.sort((a, b) => (a.turn as number) - (b.turn as number));
  return utterances.map((utterance) => {
    const { dialogue, turn } = utterance;
    const all = dialogue === undefined || turn === undefined ? [] : (dialogues.get(dialogue) ?? []);
    const context: ContextTurn[] = [];
    let left = characters;
    for (let i = firstFrom(all, turn ?? 0) - 1; i >= 0 && context.length < turns; i--) {
      const u = all[i] as Utterance;
      if (u.text === undefined) continue;
      if (speakers !== "all" && (u.speaker === utterance.speaker) !== (speakers === "same")) continue;
      if (u.text.length > left) break;
      left -= u.text.length;
      context.unshift({ id: u.id, turn: u.turn, speaker: u.speaker, text: u.text });
    }
    return { utterance, context };
  });
}

/** Index of the first utterance whose turn is `turn` or later. */
function firstFrom(sorted: readonly Utterance[], turn: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.turn as number) < turn) low = middle + 1;
    else high = middle;
  }
  return low;
}
