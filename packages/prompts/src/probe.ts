/**
 * @file Which input carries a decision: audio, transcript or words about the voice. Inputs are taken away, or taken from another
 * utterance with a conflicting label; whose label the answer then follows tells who carried it. Speech models are known to read the text and
 * to pass over the tone; this measures it. Making the inputs and reading the answers is here, answering is the model's.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { wilsonInterval } from "./intervals.ts";
import { randomOf, shuffle } from "./random.ts";

/** The inputs of a prompt that can carry an emotion. */
export const MODALITIES = ["audio", "transcript", "voice"] as const;
/** One of {@link MODALITIES}. */
export type Modality = (typeof MODALITIES)[number];

/** An utterance to probe with. */
export interface ProbeUtterance {
  readonly id: string;
  readonly label: string;
  readonly transcript?: string | undefined;
  /** The voice in words. */
  readonly voice?: string | undefined;
}

/**
 * `all`: every input as it is (voice aligned) · `only`: one input, the others missing · `without`: one input missing · `shuffled`: one
 * input from a random other utterance · `swapped`: one input from an utterance with a conflicting label (voice contradicting).
 */
export type ProbeKind = "all" | "only" | "without" | "shuffled" | "swapped";

/** A condition, e.g. `{ kind: "swapped", modality: "audio" }`. */
export type ProbeCondition =
  | { readonly kind: "all" }
  | { readonly kind: Exclude<ProbeKind, "all">; readonly modality: Modality };

/** What the model gets of one utterance under a condition. */
export interface ProbeInput {
  readonly id: string;
  readonly label: string;
  /** The utterance whose sound is heard; `null` for none. */
  readonly audio: string | null;
  readonly transcript?: string | undefined;
  readonly voice?: string | undefined;
  /** Where the changed input comes from. */
  readonly donor?: { readonly id: string; readonly label: string };
}

/** Every condition there is. */
export const PROBE_CONDITIONS: readonly ProbeCondition[] = [
  { kind: "all" },
  ...(["only", "without", "shuffled", "swapped"] as const).flatMap((kind) =>
    MODALITIES.map((modality) => ({ kind, modality })),
  ),
];

/** `all`, `only audio`, `swapped voice`, ... */
export const conditionName = (condition: ProbeCondition): string =>
  condition.kind === "all" ? "all" : `${condition.kind} ${condition.modality}`;

/**
 * The inputs of a condition. Utterances that lack the input in question are left out, and where one label has more than half of
 * `swapped` utterances, as many of them as find no partner: compare conditions over the ids they share.
 *
 * @throws EmosllmError `usage` where an id repeats.
 */
export function probeInputs(
  utterances: readonly ProbeUtterance[],
  condition: ProbeCondition,
  seed: number | string = 0,
): ProbeInput[] {
  const ids = new Set(utterances.map((u) => u.id));
  if (ids.size !== utterances.length)
    throw new EmosllmError("usage", `${utterances.length} utterances have only ${ids.size} different ids`);
  const whole = ({ id, label, transcript, voice }: ProbeUtterance): ProbeInput => ({
    id,
    label,
    audio: id,
    transcript,
    voice,
  });
  if (condition.kind === "all") return utterances.map(whole);
  const { kind, modality } = condition;
  const having = utterances.filter((u) => hasInput(u, modality));
  if (kind === "only") return having.map((u) => keep(whole(u), [modality]));
  if (kind === "without")
    return having.map((u) =>
      keep(
        whole(u),
        MODALITIES.filter((m) => m !== modality),
      ),
    );
  const random = randomOf(seed, kind, modality);
  const donors = kind === "swapped" ? conflictingDonors(having, random) : otherDonors(having, random);
  return having.flatMap((u) => {
    const donor = donors.get(u.id);
    if (donor === undefined) return [];
    const changed = {
      audio: { audio: donor.id },
      transcript: { transcript: donor.transcript },
      voice: { voice: donor.voice },
    };
    return [{ ...whole(u), ...changed[modality], donor: { id: donor.id, label: donor.label } }];
  });
}

const hasInput = (u: ProbeUtterance, modality: Modality): boolean =>
  modality === "audio" || (u[modality] ?? "").trim() !== "";

function keep(input: ProbeInput, modalities: readonly Modality[]): ProbeInput {
  const has = (modality: Modality): boolean => modalities.includes(modality);
  return {
    ...input,
    audio: has("audio") ? input.audio : null,
    transcript: has("transcript") ? input.transcript : undefined,
    voice: has("voice") ? input.voice : undefined,
  };
}

/** Each utterance gets another one's input, and each gives its own once. */
function otherDonors(utterances: readonly ProbeUtterance[], random: () => number): Map<string, ProbeUtterance> {
  const order = shuffle(utterances, random);
  return rotated(order, order.length > 1 ? 1 : 0);
}

/** The same with conflicting labels: sorted by label and turned by the size of the largest group, no group meets itself (unless it is more than half). */
function conflictingDonors(utterances: readonly ProbeUtterance[], random: () => number): Map<string, ProbeUtterance> {
  const groups = new Map<string, ProbeUtterance[]>();
  for (const u of shuffle(utterances, random)) groups.set(u.label, [...(groups.get(u.label) ?? []), u]);
  const order = shuffle([...groups.values()], random).flat();
  return rotated(order, Math.max(0, ...[...groups.values()].map((group) => group.length)), true);
}

function rotated(order: readonly ProbeUtterance[], by: number, conflicting = false): Map<string, ProbeUtterance> {
  const donors = new Map<string, ProbeUtterance>();
  order.forEach((u, i) => {
    const donor = order[(i + by) % order.length];
    if (donor !== undefined && donor.id !== u.id && (!conflicting || donor.label !== u.label)) donors.set(u.id, donor);
  });
  return donors;
}

/** Whose label the answers follow when one input is swapped for one with a conflicting label. */
export interface ModalityReliance {
  readonly modality: Modality;
  /** Answers that follow the swapped input's label, the remaining inputs' label, or neither. */
  readonly followsSwapped: number;
  readonly followsRest: number;
  readonly neither: number;
  /** `followsSwapped / (followsSwapped + followsRest)` with Wilson's 95 % interval; `null` where no answer follows either. */
  readonly share: { readonly estimate: number; readonly low: number; readonly high: number } | null;
}

/**
 * Reads the share of decisions that an input carries from the answers to its `swapped` condition.
 *
 * @param answers by utterance id; every input needs one (`null` for no answer)
 * @throws EmosllmError `runtime_failed` for an input without an answer, or without a donor (another condition's).
 */
export function modalityReliance(
  modality: Modality,
  inputs: readonly ProbeInput[],
  answers: ReadonlyMap<string, string | null>,
): ModalityReliance {
  let [followsSwapped, followsRest, neither] = [0, 0, 0];
  for (const { id, label, donor } of inputs) {
    const answer = answers.get(id);
    if (donor === undefined || donor.label === label)
      throw new EmosllmError(
        "runtime_failed",
        `input '${id}' has no donor with a conflicting label; only the condition 'swapped ${modality}' shows reliance`,
      );
    if (answer === undefined) throw new EmosllmError("runtime_failed", `input '${id}' has no answer`);
    if (answer === donor.label) followsSwapped++;
    else if (answer === label) followsRest++;
    else neither++;
  }
  const n = followsSwapped + followsRest;
  const share = n === 0 ? null : { estimate: followsSwapped / n, ...wilsonInterval(followsSwapped, n) };
  return { modality, followsSwapped, followsRest, neither, share };
}
