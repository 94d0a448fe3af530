/** @file The auditor: counts against published ones, broken clips, and everything that two sides of a split must not share. */
import { createHash } from "node:crypto";
import type { AudioClip, Utterance } from "@emosllm/interfaces";
import { readClipBytes, streamClipBytes } from "./clip-bytes.ts";
import { type Fingerprint, fingerprint, samePairs } from "./fingerprint.ts";
import { type Probe, probeBytes, probeClip } from "./probe.ts";
import { type Problem, isLeak, problem } from "./problems.ts";
import { applyProtocol, foldCount } from "./apply-protocol.ts";
import type { Protocol } from "./protocols.ts";
import { compareWithPublished } from "./published.ts";
import { type Part, PARTS, type Split, countBy, knownSeconds } from "./split.ts";
import { wavSamples } from "./wav.ts";

/** Samples in [-1, 1], mono. */
export interface DecodedSound {
  samples: Float32Array;
  sampleRate: number;
}

export interface AuditOptions {
  protocol?: Protocol;
  /** Which folds; default all. */
  folds?: readonly number[];
  seed?: number;
  /** Problems that the loader reported. */
  problems?: readonly Problem[];
  /** Compares with this corpus' published counts. Default: the corpus of the utterances. */
  publishedAs?: string;
  /** Seconds; shorter and longer clips are reported. Defaults 0.15 and 40. */
  shortest?: number;
  longest?: number;
  /** `fingerprint` finds altered copies, `bytes` equal files only, `none` nothing. Default `fingerprint`. */
  duplicates?: "fingerprint" | "bytes" | "none";
  /** Opens the sound files at all. Default true. */
  openAudio?: boolean;
  /** Decodes what is no WAV for fingerprints; without it such clips are compared by their bytes. */
  decode?: (bytes: Uint8Array, clip: AudioClip) => Promise<DecodedSound | undefined>;
  /** Called after each clip. */
  onProgress?: (done: number, total: number) => void;
}

/** One part of one fold. */
export interface AuditedPart {
  fold: number;
  part: Part;
  utterances: number;
  labels: Record<string, number>;
  speakers: Record<string, number>;
}

/** What `emosllm corpus audit --json` prints. `sha256` is of the lines `id TAB label TAB speaker TAB text`, sorted. */
export interface AuditReport {
  corpus: string;
  utterances: number;
  labels: Record<string, number>;
  speakers: Record<string, number>;
  hours: number;
  problems: Problem[];
  splits: AuditedPart[];
  sha256: string;
}

/** True when the report holds a leak: results on that split are worthless. */
export const hasLeak = (report: AuditReport): boolean => report.problems.some(isLeak);

/** Audits utterances under a protocol. @throws EmosllmError when the protocol cannot be applied to them. */
export async function auditCorpus(
  corpus: string,
  utterances: readonly Utterance[],
  options: AuditOptions = {},
): Promise<AuditReport> {
  const problems: Problem[] = [...(options.problems ?? [])];
  for (const difference of compareWithPublished(options.publishedAs ?? utterances[0]?.corpus ?? corpus, utterances))
    problems.push(problem("count_mismatch", difference));
  const sound = options.openAudio === false ? undefined : await listen(utterances, problems, options);
  const groups = sound ? duplicateGroups(utterances, sound.prints, sound.hashes) : [];
  for (const [first, ...copies] of groups)
    for (const copy of copies)
      problems.push(
        problem("audio_duplicate", `the same sound as ${first?.id}`, { id: copy.id, path: copy.audio.path }),
      );
  const splits: AuditedPart[] = [];
  if (options.protocol) {
    const all = Array.from({ length: foldCount(options.protocol, utterances) }, (_, i) => i + 1);
    for (const fold of options.folds ?? all) {
      const split = applyProtocol(options.protocol, utterances, { fold, seed: options.seed ?? 0 });
      problems.push(...splitProblems(split, options.protocol, groups));
      for (const part of PARTS) {
        const { utterances: n, labels, speakers } = split.card.parts[part];
        splits.push({ fold, part, utterances: n, labels, speakers });
      }
    }
  }
  return {
    corpus,
    utterances: utterances.length,
    labels: countBy(utterances, (u) => u.label),
    speakers: countBy(utterances, (u) => u.speaker),
    hours: (sound?.seconds ?? utterances.reduce((s, u) => s + (knownSeconds(u) ?? 0), 0)) / 3600,
    problems,
    splits,
    sha256: corpusHash(utterances),
  };
}

/** See {@link AuditReport}. */
export function corpusHash(utterances: readonly Utterance[]): string {
  const lines = utterances.map((u) => `${u.id}\t${u.label ?? ""}\t${u.speaker ?? ""}\t${u.text ?? ""}\n`).sort();
  return createHash("sha256").update(lines.join("")).digest("hex");
}

interface Heard {
  seconds: number;
  prints: Map<Utterance, Fingerprint>;
  hashes: Map<Utterance, string>;
}

/** One clip's header, its bytes where they are wanted, and its sound or why there is none. */
interface Opened {
  readonly u: Utterance;
  readonly probe: Probe;
  readonly bytes: Uint8Array | undefined;
  readonly sound?: DecodedSound | undefined;
  readonly error?: Error;
}

/** Clips that are opened at the same time. */
const AHEAD = 4;

/** Opens every clip once: header, length, and what is needed to find it again. */
async function listen(utterances: readonly Utterance[], problems: Problem[], options: AuditOptions): Promise<Heard> {
  const { shortest = 0.15, longest = 40, duplicates = "fingerprint", decode, onProgress } = options;
  const heard: Heard = { seconds: 0, prints: new Map(), hashes: new Map() };
  let done = 0;
  const open = async (u: Utterance, probe: Probe, bytes: Uint8Array | undefined): Promise<Opened> => {
    try {
      const sound =
        "code" in probe ? undefined : bytes && (decoded(probe.header, bytes) ?? (await decode?.(bytes, u.audio)));
      return { u, probe, bytes, sound };
    } catch (error) {
      return { u, probe, bytes, error: error as Error };
    }
  };
  const take = ({ u, probe, bytes, sound, error }: Opened): void => {
    onProgress?.(++done, utterances.length);
    const at = { id: u.id, path: u.audio.member === undefined ? u.audio.path : `${u.audio.path}!${u.audio.member}` };
    if ("code" in probe) {
      problems.push(problem(probe.code, probe.message, at));
      return;
    }
    const { header } = probe;
    if (error !== undefined) {
      const { message } = error;
      const name = u.audio.member ?? u.audio.path; // decoders begin with it, and so does every problem
      problems.push(
        problem("audio_corrupt", message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message, at),
      );
      return;
    }
    const whole = header?.seconds ?? (sound ? sound.samples.length / sound.sampleRate : undefined);
    const seconds = lengthOf(u, whole, at, problems);
    if (seconds !== undefined) {
      heard.seconds += seconds;
      if (seconds < shortest)
        problems.push(problem("audio_too_short", `${seconds.toFixed(3)} s, less than ${shortest} s`, at));
      if (seconds > longest)
        problems.push(problem("audio_too_long", `${seconds.toFixed(2)} s, more than ${longest} s`, at));
    }
    if (header && header.channels > 1) {
      const choice = u.audio.channel ?? "downmix";
      problems.push(problem("audio_multichannel", `${header.channels} channels, read as ${choice}`, at));
    }
    if (!bytes) return;
    const from = sound ? Math.round((u.audio.start ?? 0) * sound.sampleRate) : 0;
    const to = sound && seconds !== undefined ? from + Math.round(seconds * sound.sampleRate) : undefined;
    const samples = sound?.samples.subarray(from, to);
    if (samples && isSilent(samples)) {
      problems.push(problem("audio_silent", "nothing is to be heard in it", at));
      return; // one silence is like another: that makes no duplicate
    }
    heard.hashes.set(u, hashOf(samples ?? bytes, u));
    if (samples && sound && duplicates === "fingerprint") heard.prints.set(u, fingerprint(samples, sound.sampleRate));
  };
  const streamed = utterances.filter((u) => u.audio.container === "tar.gz");
  if (streamed.length > 0) {
    const owner = new Map(streamed.map((u) => [u.audio, u]));
    for await (const { clip, bytes } of streamClipBytes(streamed.map((u) => u.audio)))
      take(await open(owner.get(clip) as Utterance, await probeBytes(bytes, clip.member), bytes));
  }
  // a few clips ahead: decoders that are programs of their own use the other cores meanwhile
  const ahead: Promise<Opened>[] = [];
  for (const u of utterances) {
    if (u.audio.container === "tar.gz") continue;
    const opened = probeClip(u.audio).then(async (probe) =>
      open(u, probe, duplicates === "none" || "code" in probe ? undefined : await readClipBytes(u.audio)),
    );
    opened.catch(() => {}); // thrown when its turn comes, below
    ahead.push(opened);
    if (ahead.length === AHEAD) take(await ahead.shift()!);
  }
  for (const opened of ahead) take(await opened);
  return heard;
}

/** No sample reaches -80 dB of full scale. */
const isSilent = (samples: Float32Array): boolean => samples.every((x) => Math.abs(x) < 1e-4);

/** Seconds of the utterance, inside the file's where these are known; offsets beyond the file are reported. */
function lengthOf(
  u: Utterance,
  whole: number | undefined,
  at: { id: string; path: string },
  problems: Problem[],
): number | undefined {
  if (whole === undefined) return knownSeconds(u);
  const { start = 0, end = whole } = u.audio;
  if (end > whole + 0.05 || start >= whole)
    problems.push(problem("audio_corrupt", `the clip is ${start} to ${end} s of a file of ${whole.toFixed(3)} s`, at));
  return Math.max(0, Math.min(end, whole) - start);
}

function decoded(header: Parameters<typeof wavSamples>[0] | undefined, bytes: Uint8Array): DecodedSound | undefined {
  if (!header?.data) return undefined;
  const { offset, bytes: length } = header.data;
  const samples = wavSamples(header, bytes.subarray(offset, offset + length));
  return samples && { samples, sampleRate: header.sampleRate };
}

/** Samples of a part of a file, else the file's bytes with what is read of them. */
function hashOf(content: Float32Array | Uint8Array, u: Utterance): string {
  const hash = createHash("sha1");
  hash.update(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
  if (content instanceof Uint8Array) hash.update(`${u.audio.start ?? 0} ${u.audio.end ?? ""}`);
  return hash.digest("base64");
}

/** Groups of two and more utterances of the same sound, in the order of the utterances. */
function duplicateGroups(
  utterances: readonly Utterance[],
  prints: ReadonlyMap<Utterance, Fingerprint>,
  hashes: ReadonlyMap<Utterance, string>,
): Utterance[][] {
  const root = utterances.map((_, i) => i);
  const find = (i: number): number => {
    let r = i;
    while (root[r] !== r) r = root[r] as number;
    root[i] = r;
    return r;
  };
  const join = (a: number, b: number): void => {
    const [x, y] = [find(a), find(b)];
    root[Math.max(x, y)] = Math.min(x, y);
  };
  const first = new Map<string, number>();
  const printed: number[] = [];
  for (const [i, u] of utterances.entries()) {
    const hash = hashes.get(u);
    const known = hash === undefined ? undefined : first.get(hash);
    if (known !== undefined) join(known, i);
    else if (hash !== undefined) {
      first.set(hash, i);
      if (prints.has(u)) printed.push(i);
    }
  }
  for (const [a, b] of samePairs(printed.map((i) => prints.get(utterances[i] as Utterance) as Fingerprint)))
    join(printed[a] as number, printed[b] as number);
  const groups = new Map<number, Utterance[]>();
  for (const [i, u] of utterances.entries()) {
    const r = find(i);
    const group = groups.get(r);
    if (group) group.push(u);
    else groups.set(r, [u]);
  }
  return [...groups.values()].filter((g) => g.length > 1);
}

const some = (names: readonly string[]): string =>
  names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");

function splitProblems(split: Split, protocol: Protocol, groups: readonly (readonly Utterance[])[]): Problem[] {
  const out: Problem[] = [];
  const { fold } = split;
  for (const { between, utterances, speakers, dialogues } of split.card.overlap) {
    const [a, b] = between;
    const where = `fold ${fold}: ${a} and ${b} share`;
    if (utterances > 0) {
      const both = a === "validation" && b === "test";
      out.push(problem(both ? "validation_is_test" : "utterance_leak", `${where} ${utterances} utterances`));
      continue; // all else follows from it
    }
    const allowed = (share: string): boolean =>
      protocol.allows?.some((o) => o.share === share && o.between[0] === a && o.between[1] === b) ?? false;
    if (speakers.length > 0)
      out.push(problem(allowed("speaker") ? "speaker_overlap" : "speaker_leak", `${where} speakers ${some(speakers)}`));
    if (dialogues.length > 0)
      out.push(
        problem(allowed("dialogue") ? "dialogue_overlap" : "dialogue_leak", `${where} dialogues ${some(dialogues)}`),
      );
  }
  const partOf = new Map(PARTS.flatMap((part) => split[part].map((id) => [id, part] as const)));
  for (const group of groups) {
    const parts = new Map<Part, Utterance>();
    for (const u of group) {
      const part = partOf.get(u.id);
      if (part !== undefined && !parts.has(part)) parts.set(part, u);
    }
    const [one, ...others] = parts;
    for (const [part, u] of others)
      out.push(
        problem("audio_leak", `fold ${fold}: the same sound as ${one?.[1].id} in ${one?.[0]} is in ${part}`, {
          id: u.id,
          path: u.audio.path,
        }),
      );
  }
  out.push(...coverage(split));
  return out;
}

function coverage(split: Split): Problem[] {
  const out: Problem[] = [];
  const labels = new Set(PARTS.flatMap((p) => Object.keys(split.card.parts[p].labels)));
  for (const part of PARTS) {
    const card = split.card.parts[part];
    if (card.utterances === 0) {
      out.push(problem("fold_missing", `fold ${split.fold}: ${part} is empty`));
      continue;
    }
    const missing = [...labels].filter((l) => !(l in card.labels)).sort();
    if (missing.length > 0)
      out.push(problem("label_missing", `fold ${split.fold}: ${part} has no ${missing.join(", ")}`));
  }
  return out;
}
