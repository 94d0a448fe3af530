/** @file The few utterances with the least probability on their true label, kept while a file streams by. */
import type { Line } from "./read-lines.ts";
import type { HardUtterance } from "./summary.ts";

/** Keeps the hardest `limit` wrong answers. */
export interface Hardest {
  offer(line: Line): void;
  list(): HardUtterance[];
}

/** By falling surprise (negative log-probability of the truth); wrong answers without probabilities count as even. */
export function hardest(limit: number): Hardest {
  const kept: { surprise: number; order: number; utterance: HardUtterance }[] = [];
  let order = 0;
  return {
    offer(line) {
      const label = line["label"];
      const probabilities = line["probabilities"] as Record<string, number> | undefined;
      if (typeof label !== "string" || !("prediction" in line || probabilities) || limit === 0) return;
      const prediction =
        typeof line["prediction"] === "string"
          ? line["prediction"]
          : "prediction" in line
            ? null
            : best(probabilities!);
      if (prediction === label) return;
      const probability = probabilityOf(probabilities, label);
      const surprise = probability === null ? Math.log(2) : -Math.log(Math.max(probability, 2 ** -52));
      order++;
      if (kept.length === limit && surprise <= kept.at(-1)!.surprise) return;
      const utterance = describe(line, label, prediction, probability, probabilityOf(probabilities, prediction));
      kept.push({ surprise, order, utterance });
      kept.sort((a, b) => b.surprise - a.surprise || a.order - b.order);
      if (kept.length > limit) kept.pop();
    },
    list: () => kept.map((k) => k.utterance),
  };
}

/** `null` without probabilities or for an invalid answer. */
const probabilityOf = (p: Readonly<Record<string, number>> | undefined, name: string | null): number | null =>
  p && name !== null ? (Object.hasOwn(p, name) ? p[name]! : 0) : null;

const best = (p: Record<string, number>): string =>
  Object.keys(p)
    .sort()
    .reduce((a, b) => (p[b]! > p[a]! ? b : a));

function describe(
  line: Line,
  label: string,
  prediction: string | null,
  probability: number | null,
  confidence: number | null,
): HardUtterance {
  const spoken = typeof line["text"] === "string" ? line["text"] : line["reference"];
  const audio = audioOf(line);
  return {
    id: String(line["id"]),
    label,
    prediction,
    probability,
    confidence,
    ...(typeof line["speaker"] === "string" ? { speaker: line["speaker"] } : {}),
    ...(typeof spoken === "string" ? { text: spoken } : {}),
    ...(audio ? { audio } : {}),
  };
}

/** `audio` is a path (with `start` and `end` beside it), or an object with `path`. */
function audioOf(line: Line): HardUtterance["audio"] | undefined {
  const own = line["audio"];
  const from = typeof own === "object" && own !== null ? (own as Line) : { ...line, path: own };
  if (typeof from["path"] !== "string" || from["path"] === "") return undefined;
  return {
    path: from["path"],
    ...(typeof from["start"] === "number" ? { start: from["start"] } : {}),
    ...(typeof from["end"] === "number" ? { end: from["end"] } : {}),
  };
}
