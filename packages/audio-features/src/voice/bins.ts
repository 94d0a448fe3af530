/** @file Quantile bins of voice measures, fitted on training clips only; plain JSON. */
import { EmosllmError } from "@emosllm/interfaces";
import { VOICE_MEASURES, type VoiceMeasure, type VoiceMeasures } from "./measures.ts";

/** How clips are grouped before quantiles are taken. */
export const BIN_GROUPINGS = ["overall", "gender", "speaker"] as const;
/** One of {@link BIN_GROUPINGS}. */
export type BinGrouping = (typeof BIN_GROUPINGS)[number];

/** Levels of a measure, lowest first. */
export const VOICE_LEVELS = ["very low", "low", "medium", "high", "very high"] as const;

/** Who speaks, as far as it is known. */
export interface Speaker {
  readonly gender?: string;
  readonly speaker?: string;
}

/** A training clip. */
export interface BinClip extends Speaker {
  readonly measures: VoiceMeasures;
}

/** The bins of one group: four rising edges between five levels for each measure that had enough clips. */
export interface BinGroup {
  readonly clips: number;
  readonly edges: { readonly [K in VoiceMeasure]?: readonly number[] };
}

/** Fitted bins, as they stand in their file. */
export interface VoiceBins {
  readonly format: "emosllm-voice-bins";
  readonly version: 1;
  readonly by: BinGrouping;
  /** What `rate` was counted from: the two counts differ, so a clip must be measured as the bins were. */
  readonly rateFrom: "nuclei" | "transcript";
  /** Shares at which the edges lie. */
  readonly quantiles: readonly number[];
  /** `overall` is always there, for speakers that training did not see. */
  readonly groups: Readonly<Record<string, BinGroup>>;
}

const QUANTILES = [0.1, 0.3, 0.7, 0.9] as const;
/** A group with fewer clips falls back to all clips. */
const LEAST_CLIPS = 10;

function edgesOf(clips: readonly BinClip[]): BinGroup["edges"] {
  const edges: { [K in VoiceMeasure]?: number[] } = {};
  for (const name of Object.keys(VOICE_MEASURES) as VoiceMeasure[]) {
    const values = clips.flatMap(({ measures }) => measures[name] ?? []).sort((a, b) => a - b);
    if (values.length < LEAST_CLIPS) continue;
    edges[name] = QUANTILES.map((q) => {
      const at = q * (values.length - 1);
      const low = values[Math.floor(at)]!;
      return low + (at - Math.floor(at)) * ((values[Math.floor(at) + 1] ?? low) - low);
    });
  }
  return edges;
}

/**
 * Fits bins on training clips: edges at the 10th, 30th, 70th and 90th percentile of each group, and of all clips.
 * @throws EmosllmError `config_invalid` for fewer than 10 clips.
 */
export function fitVoiceBins(
  clips: readonly BinClip[],
  options: { by?: BinGrouping; rateFrom?: VoiceBins["rateFrom"] } = {},
): VoiceBins {
  const { by = "overall", rateFrom = "nuclei" } = options;
  if (clips.length < LEAST_CLIPS)
    throw new EmosllmError("config_invalid", `bins need at least ${LEAST_CLIPS} clips, there are ${clips.length}`);
  const groups: Record<string, BinGroup> = { overall: { clips: clips.length, edges: edgesOf(clips) } };
  if (by !== "overall") {
    const names = [...new Set(clips.flatMap((clip) => clip[by] ?? []))].sort();
    for (const name of names) {
      const members = clips.filter((clip) => clip[by] === name);
      if (members.length >= LEAST_CLIPS) groups[`${by}:${name}`] = { clips: members.length, edges: edgesOf(members) };
    }
  }
  return { format: "emosllm-voice-bins", version: 1, by, rateFrom, quantiles: [...QUANTILES], groups };
}

/** The level (0 to 4) of each measure that is reliable and binned, and the group whose bins were used. */
export function binVoice(
  measures: VoiceMeasures,
  bins: VoiceBins,
  who: Speaker = {},
): { group: string; levels: { readonly [K in VoiceMeasure]?: number } } {
  const own = bins.by === "overall" ? undefined : who[bins.by];
  const key = own === undefined ? "overall" : `${bins.by}:${own}`;
  const group = Object.hasOwn(bins.groups, key) ? key : "overall";
  const levels: { [K in VoiceMeasure]?: number } = {};
  for (const name of Object.keys(VOICE_MEASURES) as VoiceMeasure[]) {
    const edges = bins.groups[group]!.edges[name];
    const value = measures[name];
    if (edges !== undefined && value !== null) levels[name] = edges.filter((edge) => value > edge).length;
  }
  return { group, levels };
}

const fail = (where: string, problem: string): never => {
  throw new EmosllmError("config_invalid", `${where}: ${problem}`);
};

/**
 * Bins from the text of their file.
 * @throws EmosllmError `config_invalid` naming `where` and what is wrong.
 */
export function parseVoiceBins(text: string, where: string): VoiceBins {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EmosllmError("config_invalid", `${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
  const bins = value as Partial<VoiceBins> | null;
  if (typeof bins !== "object" || bins?.format !== "emosllm-voice-bins")
    return fail(where, "not a file of voice bins (format is not emosllm-voice-bins)");
  if (bins.version !== 1) return fail(where, `version ${String(bins.version)}, expected 1`);
  if (!BIN_GROUPINGS.includes(bins.by as BinGrouping))
    return fail(where, `by is ${String(bins.by)}, expected one of ${BIN_GROUPINGS.join(", ")}`);
  if (bins.rateFrom !== "nuclei" && bins.rateFrom !== "transcript")
    return fail(where, `rateFrom is ${String(bins.rateFrom)}, expected nuclei or transcript`);
  const groups = bins.groups;
  if (typeof groups !== "object" || groups === null || !Object.hasOwn(groups, "overall"))
    return fail(where, "groups has no overall");
  for (const [name, group] of Object.entries(groups as Record<string, Partial<BinGroup> | null>)) {
    if (typeof group?.edges !== "object" || group.edges === null) return fail(where, `groups.${name} has no edges`);
    for (const [measure, edges] of Object.entries(group.edges as Record<string, unknown>)) {
      if (!Object.hasOwn(VOICE_MEASURES, measure))
        return fail(where, `groups.${name}.edges.${measure} is not one of ${Object.keys(VOICE_MEASURES).join(", ")}`);
      const rising =
        Array.isArray(edges) &&
        edges.length === VOICE_LEVELS.length - 1 &&
        edges.every((e, i) => Number.isFinite(e) && (i === 0 || e >= (edges as number[])[i - 1]!));
      if (!rising)
        return fail(where, `groups.${name}.edges.${measure} is not ${VOICE_LEVELS.length - 1} rising numbers`);
    }
  }
  return bins as VoiceBins;
}
