/** @file Which known name a misspelt one was meant to be. */
import { editDistance } from "@emosllm/prompts";

/** The known name most alike: few edits away, or one that holds the given one as a word (`epochs` in `num_train_epochs`); nothing when none is. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const given = name.toLowerCase();
  const words = (text: string): string[] => text.toLowerCase().split(/[^a-z0-9]+/);
  const scored = known.map((candidate) => {
    const distance = editDistance([...given], [...candidate.toLowerCase()]);
    const holds = words(given).every((word) => words(candidate).includes(word));
    return { candidate, score: holds ? Math.min(distance, 1) : distance / Math.max(2, given.length / 3) };
  });
  const [best] = scored.sort((a, b) => a.score - b.score);
  return best && best.score <= 1 ? best.candidate : undefined;
}
