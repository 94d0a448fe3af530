/** @file Applies a split protocol to utterances: one fold, as ids by part with a hash and a card. */
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import type { GroupKey, Protocol, ValidationRule } from "./protocols.ts";
import { seededRandom, shuffled } from "./random.ts";
import { type Part, PARTS, type Split, makeSplit } from "./split.ts";
import { stratifiedGroups } from "./stratified-groups.ts";

export interface SplitOptions {
  /** From 1. Default 1. */
  fold?: number;
  /** For the seeded rules. Default 0. */
  seed?: number;
}

/** How many folds a protocol has on these utterances. */
export function foldCount(protocol: Protocol, utterances: readonly Utterance[]): number {
  return testGroups(protocol, utterances, 0).length;
}

/**
 * One fold of a protocol.
 * @throws EmosllmError `config_invalid` for a fold that is not there, or utterances without what the protocol splits by.
 */
export function applyProtocol(protocol: Protocol, utterances: readonly Utterance[], options: SplitOptions = {}): Split {
  const { fold = 1, seed = 0 } = options;
  const groups = testGroups(protocol, utterances, seed);
  if (!Number.isInteger(fold) || fold < 1 || fold > groups.length)
    throw new EmosllmError("config_invalid", `${protocol.name}: fold ${fold} is not one of 1 to ${groups.length}`);
  const name = { protocol: protocol.name, fold, seed };
  const { test } = protocol;
  if (test.kind === "table") {
    const table = test.folds[fold - 1] as ReadonlyMap<string, readonly Part[]>;
    const parts = (u: Utterance): readonly Part[] => table.get(u.id) ?? [];
    if ([...table.values()].some((p) => p.includes("validation"))) return makeSplit(name, utterances, parts);
    const first = (u: Utterance): Part | undefined => (parts(u).includes("test") ? "test" : parts(u)[0]);
    const [split, twice] = [
      finish(name, protocol, utterances, first, false, groups, fold, seed),
      utterances.filter((u) => parts(u).length > 1),
    ];
    if (twice.length === 0) return split;
    const chosen = new Map(PARTS.flatMap((part) => split[part].map((id) => [id, part] as const)));
    return makeSplit(name, utterances, (u) => [...new Set([...parts(u), ...[chosen.get(u.id) ?? []].flat()])]);
  }
  if (test.kind === "official") {
    const partOf = (u: Utterance): Part | undefined => (u.split === undefined ? undefined : test.parts[u.split]);
    return finish(name, protocol, utterances, partOf, true, groups, fold, seed);
  }
  const key = test.by;
  const testSet = groups[fold - 1] as ReadonlySet<string>;
  const partOf = (u: Utterance): Part | undefined =>
    u[key] === undefined ? undefined : testSet.has(u[key]) ? "test" : "train";
  return finish(name, protocol, utterances, partOf, false, groups, fold, seed);
}

function finish(
  name: { protocol: string; fold: number; seed: number },
  protocol: Protocol,
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  hasValidation: boolean,
  groups: readonly ReadonlySet<string>[],
  fold: number,
  seed: number,
): Split {
  const rule = hasValidation ? "none" : protocol.validation;
  const isValidation = validationRule(rule, protocol, utterances, base, groups, fold, seed);
  return makeSplit(name, utterances, (u) => {
    const part = base(u);
    if (part === undefined) return [];
    if (part === "test") return rule === "test" ? ["test", "validation"] : ["test"];
    if (part !== "train") return [part];
    const verdict = isValidation(u);
    return verdict === "unused" ? [] : [verdict ? "validation" : "train"];
  });
}

/** The groups of each fold's test part; tables and official parts only tell how many folds there are. */
function testGroups(protocol: Protocol, utterances: readonly Utterance[], seed: number): ReadonlySet<string>[] {
  const { test } = protocol;
  if (test.kind === "table") return test.folds.map(() => new Set<string>());
  if (test.kind === "official") {
    if (!utterances.some((u) => u.split !== undefined && test.parts[u.split] !== undefined))
      throw new EmosllmError(
        "config_invalid",
        `${protocol.name}: no utterance says its part (split: ${Object.keys(test.parts).join(", ")})`,
      );
    return [new Set<string>()];
  }
  const names = groupNames(utterances, test.by);
  if (names.length < 2)
    throw new EmosllmError(
      "config_invalid",
      `${protocol.name} needs at least two of ${test.by}; the utterances have ${names.length === 0 ? "none" : names[0]}`,
    );
  if (test.kind === "leave-one-out") return names.map((n) => new Set([n]));
  if (test.kind === "groups") return test.folds.map((f) => new Set(f));
  return stratifiedGroups(utterances, test.by, test.folds, seed);
}

/** Distinct names in natural order (`2` before `10`). */
function groupNames(utterances: readonly Utterance[], by: GroupKey): string[] {
  const names = new Set<string>();
  for (const u of utterances) if (u[by] !== undefined) names.add(u[by]);
  return [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

type Verdict = boolean | "unused";

function validationRule(
  rule: ValidationRule,
  protocol: Protocol,
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  groups: readonly ReadonlySet<string>[],
  fold: number,
  seed: number,
): (u: Utterance) => Verdict {
  const random = seededRandom(seed * 1009 + fold);
  const training = utterances.filter((u) => base(u) === "train");
  const share = protocol.share ?? 0.2;
  const part = (n: number): number => Math.min(n - 1, Math.max(1, Math.round(n * share)));
  if (rule === "random-utterances") {
    const ids = training.map((u) => u.id).sort();
    const chosen = new Set(shuffled(ids, random).slice(0, part(ids.length)));
    return (u) => chosen.has(u.id);
  }
  if (rule === "random-speakers") {
    const speakers = groupNames(training, "speaker");
    if (speakers.length < 2)
      throw new EmosllmError(
        "config_invalid",
        `${protocol.name}: training has ${speakers.length} known speakers, validation by speaker needs two`,
      );
    const chosen = new Set(shuffled(speakers, random).slice(0, part(speakers.length)));
    return (u) => (u.speaker === undefined ? "unused" : chosen.has(u.speaker));
  }
  if (rule === "other-speaker") return otherSpeaker(protocol, utterances, base, random);
  if (rule === "other-session") {
    const { tested, after } = sessionsAround(utterances, base, protocol);
    return (u) => (tested.has(u.session) ? "unused" : u.session === after);
  }
  if (rule === "next-fold" && "by" in protocol.test) {
    const { by } = protocol.test;
    const next = groups[fold % groups.length] as ReadonlySet<string>;
    return (u) => u[by] !== undefined && next.has(u[by]);
  }
  return () => false;
}

/** Sessions that the test part touches, and the next one in natural order. */
function sessionsAround(
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  protocol: Protocol,
) {
  const sessions = groupNames(utterances, "session");
  const tested = new Set(utterances.filter((u) => base(u) === "test").map((u) => u.session));
  const last = sessions.findLastIndex((s) => tested.has(s));
  const after = [...sessions.slice(last + 1), ...sessions.slice(0, last + 1)].find((s) => !tested.has(s));
  if (after === undefined && !(tested.size === 1 && sessions.length === 1))
    throw new EmosllmError("config_invalid", `${protocol.name}: no session is left for validation`);
  return { tested, after };
}

function otherSpeaker(
  protocol: Protocol,
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  random: () => number,
): (u: Utterance) => Verdict {
  const training = utterances.filter((u) => base(u) === "train");
  const withSessions = training.some((u) => u.session !== undefined);
  const { tested, after } = withSessions
    ? sessionsAround(utterances, base, protocol)
    : { tested: new Set<string | undefined>(), after: undefined };
  const partners = groupNames(
    training.filter((u) => u.session !== undefined && tested.has(u.session)),
    "speaker",
  );
  const candidates =
    partners.length > 0
      ? partners
      : groupNames(
          training.filter((u) => u.session === after),
          "speaker",
        );
  const chosen = shuffled(candidates, random)[0];
  if (chosen === undefined)
    throw new EmosllmError("config_invalid", `${protocol.name}: no speaker is left for validation`);
  return (u) => u.speaker === chosen;
}

export interface LeaveOneOutOptions extends SplitOptions {
  validation?: ValidationRule;
  /** Share of training that becomes validation, for the random rules. Default 0.2. */
  share?: number;
}

const leaveOneOut = (by: "session" | "speaker", standard: ValidationRule) => {
  return (utterances: readonly Utterance[], options: LeaveOneOutOptions = {}): Split => {
    const { validation = standard, share = 0.2, ...rest } = options;
    const name = `leave-one-${by}-out/${validation}`;
    const protocol: Protocol = { name, test: { kind: "leave-one-out", by }, validation, share, description: name };
    return applyProtocol(protocol, utterances, rest);
  };
};

/**
 * Each session once as test (IEMOCAP: five folds, fold k tests session k).
 * @example
 * const { train, validation, test, sha256, card } = leaveOneSessionOut(utterances, { fold: 1, validation: "other-session" });
 */
export const leaveOneSessionOut: (utterances: readonly Utterance[], options?: LeaveOneOutOptions) => Split =
  leaveOneOut("session", "other-session");

/** Each speaker once as test (IEMOCAP: ten folds), validation by default the partner. */
export const leaveOneSpeakerOut: (utterances: readonly Utterance[], options?: LeaveOneOutOptions) => Split =
  leaveOneOut("speaker", "other-speaker");
