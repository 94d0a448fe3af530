/** @file Label schemes as data: raw code -> label name, and between the schemes of different corpora. Names, never indices. */
import { type EmotionScheme, EmosllmError, type SoftLabel, type Utterance } from "@emosllm/interfaces";

const scheme = (name: string, labels: readonly string[], mapping: Readonly<Record<string, string>>): EmotionScheme => ({
  name,
  labels: [...labels],
  mapping: { ...mapping },
});
/** Every label stands for itself. */
const own = (names: readonly string[]): Record<string, string> => Object.fromEntries(names.map((n) => [n, n]));

const IEMOCAP_4 = { ang: "angry", hap: "happy", sad: "sad", neu: "neutral" };
const IEMOCAP_ALL = {
  ang: "angry",
  hap: "happy",
  sad: "sad",
  neu: "neutral",
  exc: "excited",
  fru: "frustrated",
  fea: "fearful",
  sur: "surprised",
  dis: "disgusted",
  oth: "other",
};
const MELD_7 = ["neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"];
const EMODB = {
  anger: "angry",
  boredom: "bored",
  disgust: "disgusted",
  fear: "fearful",
  happiness: "happy",
  sadness: "sad",
  neutral: "neutral",
};
const MSP = {
  A: "angry",
  H: "happy",
  S: "sad",
  N: "neutral",
  U: "surprised",
  F: "fearful",
  D: "disgusted",
  C: "contemptuous",
};

/** The named schemes. `iemocap-4` merges happy and excited (5531 turns); `iemocap-4-strict` does not (4490). */
export const SCHEMES: Readonly<Record<string, EmotionScheme>> = Object.fromEntries(
  [
    scheme("iemocap-4", ["angry", "happy", "sad", "neutral"], { ...IEMOCAP_4, exc: "happy" }),
    scheme("iemocap-4-strict", ["angry", "happy", "sad", "neutral"], IEMOCAP_4),
    scheme("iemocap-5", ["angry", "happy", "sad", "neutral", "frustrated"], {
      ...IEMOCAP_4,
      exc: "happy",
      fru: "frustrated",
    }),
    scheme("iemocap-6", ["angry", "happy", "sad", "neutral", "excited", "frustrated"], {
      ...IEMOCAP_4,
      exc: "excited",
      fru: "frustrated",
    }),
    scheme("iemocap-raw", Object.values(IEMOCAP_ALL), IEMOCAP_ALL),
    scheme("meld-7", MELD_7, own(MELD_7)),
    {
      ...scheme("meld-3", ["negative", "neutral", "positive"], own(["negative", "neutral", "positive"])),
      attribute: "sentiment",
    },
    scheme("ravdess-8", ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised"], {
      neutral: "neutral",
      calm: "calm",
      happy: "happy",
      sad: "sad",
      angry: "angry",
      fearful: "fearful",
      disgust: "disgusted",
      surprised: "surprised",
    }),
    scheme("cremad-6", ["angry", "disgusted", "fearful", "happy", "neutral", "sad"], {
      ANG: "angry",
      DIS: "disgusted",
      FEA: "fearful",
      HAP: "happy",
      NEU: "neutral",
      SAD: "sad",
    }),
    scheme("msp-podcast-8", Object.values(MSP), MSP),
    scheme("msp-podcast-5", ["angry", "happy", "sad", "neutral", "disgusted"], {
      A: "angry",
      H: "happy",
      S: "sad",
      N: "neutral",
      D: "disgusted",
    }),
    scheme("emodb-7", Object.values(EMODB), EMODB),
    scheme("esd-5", ["angry", "happy", "neutral", "sad", "surprised"], {
      Angry: "angry",
      Happy: "happy",
      Neutral: "neutral",
      Sad: "sad",
      Surprise: "surprised",
    }),
    scheme("savee-7", ["angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"], {
      anger: "angry",
      disgust: "disgusted",
      fear: "fearful",
      happiness: "happy",
      neutral: "neutral",
      sadness: "sad",
      surprise: "surprised",
    }),
    scheme("tess-7", ["angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"], {
      angry: "angry",
      disgust: "disgusted",
      fear: "fearful",
      happy: "happy",
      neutral: "neutral",
      sad: "sad",
      ps: "surprised",
    }),
  ].map((s) => [s.name, s]),
);

/** A named scheme, labels of your own, or a corpus' codes with the label of each (`{ ang: "angry", exc: "happy" }`). */
export type SchemeChoice = string | readonly string[] | Readonly<Record<string, string>>;

/**
 * The scheme of a name, or one made of labels or codes; such a one is named after its labels, `own:calm+stressed`.
 * @throws EmosllmError `label_unknown` listing the names there are, or when labels are fewer than two, empty or repeated.
 */
export function emotionScheme(choice: SchemeChoice): EmotionScheme {
  if (typeof choice !== "string") return ownScheme(choice);
  const found = Object.hasOwn(SCHEMES, choice) ? SCHEMES[choice] : undefined;
  if (found) return found;
  throw new EmosllmError(
    "label_unknown",
    `no scheme ${JSON.stringify(choice)}; there are ${Object.keys(SCHEMES).join(", ")}, or a list of labels of your own`,
  );
}

function ownScheme(choice: readonly string[] | Readonly<Record<string, string>>): EmotionScheme {
  const listed = Array.isArray(choice);
  const labels: string[] = listed ? [...(choice as readonly string[])] : [...new Set(Object.values(choice))];
  const refuse = (message: string): never => {
    throw new EmosllmError("label_unknown", `scheme ${JSON.stringify(choice)}: ${message}`);
  };
  if (labels.length < 2) refuse("at least two labels are needed");
  if (labels.some((l) => typeof l !== "string" || l.trim() === "" || l !== l.trim()))
    refuse("labels are words without spaces around them");
  const repeated = labels.find((l, i) => labels.indexOf(l) !== i);
  if (repeated !== undefined) refuse(`label '${repeated}' stands twice`);
  return scheme(`own:${labels.join("+")}`, labels, listed ? {} : (choice as Readonly<Record<string, string>>));
}

/** A raw code's name; a name of the scheme stands for itself, so that what was mapped and exported can be mapped again. */
function nameOf(raw: string, scheme: EmotionScheme): string | undefined {
  if (Object.hasOwn(scheme.mapping, raw)) return scheme.mapping[raw];
  return scheme.labels.includes(raw) ? raw : undefined;
}

/** One utterance under a scheme, or nothing when its label is not part of it. The raters' shares are mapped and renormalised too. */
export function mapLabel(utterance: Utterance, scheme: EmotionScheme): Utterance | undefined {
  const raw = scheme.attribute === undefined ? utterance.label : utterance.attributes?.[scheme.attribute];
  const label = raw === undefined ? undefined : nameOf(raw, scheme);
  if (label === undefined) return undefined;
  const { softLabel, ...rest } = utterance;
  const soft = softLabel && scheme.attribute === undefined ? mapSoftLabel(softLabel, scheme) : undefined;
  return soft ? { ...rest, label, softLabel: soft } : { ...rest, label };
}

/** Raters' shares under a scheme; what falls outside it is left out and the rest sums to 1; nothing when all falls outside. */
export function mapSoftLabel(soft: SoftLabel, scheme: EmotionScheme): SoftLabel | undefined {
  const out: Record<string, number> = {};
  let total = 0;
  for (const [raw, share] of Object.entries(soft)) {
    const label = nameOf(raw, scheme);
    if (label === undefined || !(share > 0)) continue;
    out[label] = (out[label] ?? 0) + share;
    total += share;
  }
  if (total === 0) return undefined;
  for (const label of Object.keys(out)) out[label] = (out[label] as number) / total;
  return out;
}

/** The utterances whose label the scheme knows, under its names, lazily. */
export async function* applyScheme(
  utterances: AsyncIterable<Utterance> | Iterable<Utterance>,
  scheme: EmotionScheme,
): AsyncGenerator<Utterance> {
  for await (const utterance of utterances) {
    const mapped = mapLabel(utterance, scheme);
    if (mapped) yield mapped;
  }
}

/** One word per emotion across corpora (MELD says `joy`, ESD `Surprise`, IEMOCAP `happy`): synonyms to the common name. */
export const COMMON_NAMES: Readonly<Record<string, string>> = {
  anger: "angry",
  joy: "happy",
  happiness: "happy",
  sadness: "sad",
  fear: "fearful",
  disgust: "disgusted",
  surprise: "surprised",
  boredom: "bored",
  contempt: "contemptuous",
  frustration: "frustrated",
  excitement: "excited",
};

const commonName = (label: string): string => COMMON_NAMES[label] ?? label;

/**
 * A mapping from the labels of one scheme to those of another by their common name, for training on one corpus and testing
 * on the other. `merge` adds what a name counts as when the other scheme lacks it, e.g. `{ excited: "happy" }`.
 */
export function betweenSchemes(
  from: EmotionScheme,
  to: EmotionScheme,
  merge: Readonly<Record<string, string>> = {},
): EmotionScheme {
  const target = new Map(to.labels.map((l) => [commonName(l), l]));
  const mapping: Record<string, string> = {};
  for (const label of from.labels) {
    const name = commonName(label);
    const found = target.get(name) ?? (merge[name] === undefined ? undefined : target.get(commonName(merge[name])));
    if (found !== undefined) mapping[label] = found;
  }
  const labels = to.labels.filter((l) => Object.values(mapping).includes(l));
  if (labels.length === 0)
    throw new EmosllmError("label_unknown", `${from.name} and ${to.name} have no label in common`);
  return { name: `${from.name}->${to.name}`, labels, mapping };
}
