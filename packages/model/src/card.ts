/**
 * @file The model card of a bundle: what training writes stands between two marks and is replaced when it is written again; everything
 * else, and every key of the front matter that training does not set, is the user's and stays.
 */

/** The generated part begins and ends with these lines. */
export const CARD_MARKS = {
  begin: "<!-- emosllm: begin. Training replaces what stands up to the end mark. -->",
  end: "<!-- emosllm: end -->",
} as const;

/** A card that was just generated, put into the one that is there. Both may have YAML front matter. */
export function mergeCard(existing: string | undefined, generated: string): string {
  const fresh = parts(generated);
  const section = `${CARD_MARKS.begin}\n\n${fresh.body.trim()}\n\n${CARD_MARKS.end}`;
  if (existing === undefined || existing.trim() === "") return whole(fresh.front, `${section}\n`);
  const old = parts(existing);
  const [from, to] = [old.body.indexOf(CARD_MARKS.begin), old.body.indexOf(CARD_MARKS.end)];
  const body =
    from >= 0 && to > from
      ? old.body.slice(0, from) + section + old.body.slice(to + CARD_MARKS.end.length)
      : `${old.body.trimEnd()}\n\n${section}\n`;
  const front = new Map([...old.front, ...fresh.front]);
  return whole(front, body);
}

interface CardParts {
  /** Top-level keys with their lines. */
  readonly front: ReadonlyMap<string, string>;
  readonly body: string;
}

function parts(card: string): CardParts {
  const text = card.replaceAll("\r\n", "\n");
  const match = /^---\n([\s\S]*?)\n---[ \t]*(?:\n|$)/.exec(text);
  if (!match) return { front: new Map(), body: text };
  const front = new Map<string, string>();
  let last = "";
  for (const line of (match[1] as string).split("\n")) {
    const key = /^([A-Za-z_][\w.-]*)[ \t]*:/.exec(line)?.[1];
    // A line that begins no key belongs to the one before: lists, nested values, comments.
    if (key !== undefined) front.set((last = key), line);
    else front.set(last, front.has(last) ? `${front.get(last)}\n${line}` : line);
  }
  return { front, body: text.slice(match[0].length) };
}

const whole = (front: ReadonlyMap<string, string>, body: string): string =>
  front.size === 0 ? body : `---\n${[...front.values()].join("\n")}\n---\n\n${body.replace(/^\n+/, "")}`;
