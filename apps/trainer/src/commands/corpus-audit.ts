/** @file `emosllm corpus audit`: counts, broken clips, leaks between the parts of a split. */
import { decodeAudio, selectChannel } from "@emosllm/audio-features";
import {
  type AuditReport,
  auditCorpus,
  compareWithPublished,
  type DecodedSound,
  hasLeak,
  isLeak,
  type Problem,
} from "@emosllm/datasets";
import { type AudioClip, EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { numberArg, oneOf, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";
import { CORPUS_ARG, PROTOCOL_ARG, SCHEME_ARG, SEED_ARG, asUsage, foldArg, loadCorpus } from "./_corpus-part.ts";

/** Sound that is no plain WAV, for fingerprints; a format without decoder is compared by its bytes. */
async function decode(bytes: Uint8Array, clip: AudioClip): Promise<DecodedSound | undefined> {
  try {
    const sound = await decodeAudio(bytes, { name: clip.member ?? clip.path });
    return { samples: selectChannel(sound, clip.channel ?? "downmix"), sampleRate: sound.sampleRate };
  } catch (error) {
    if (error instanceof EmosllmError && error.code === "audio_unsupported") return undefined;
    throw error;
  }
}

const audit = defineCommand({
  meta: {
    name: "audit",
    description: "Counts, broken clips, leaks between the parts of a split. Exit code 1 on a leak.",
  },
  args: {
    corpus: CORPUS_ARG,
    protocol: PROTOCOL_ARG,
    scheme: SCHEME_ARG,
    fold: { type: "string", description: "only this fold, from 1 (default: all)" },
    seed: SEED_ARG,
    duplicates: {
      type: "string",
      default: "fingerprint",
      description: "fingerprint (altered copies too), bytes (equal sound), none",
    },
    audio: { type: "boolean", default: true, description: "open the sound files (--no-audio: counts and splits only)" },
    shortest: { type: "string", default: "0.15", description: "report clips under this many seconds" },
    longest: { type: "string", default: "40", description: "report clips over this many seconds" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const fold = foldArg(args.fold);
    const seed = wholeArg("seed", args.seed, 0);
    const shortest = numberArg("shortest", args.shortest, 0);
    const longest = numberArg("longest", args.longest, 0);
    const duplicates = oneOf("duplicates", args.duplicates, ["fingerprint", "bytes", "none"]);
    const { corpus, raw, utterances, protocol, problems } = await loadCorpus(args.corpus, args.scheme, args.protocol);
    // Under a scheme the raw labels are still those to compare with what was published.
    const differences = args.scheme === undefined ? [] : compareWithPublished(corpus.name, raw);
    const counted = differences.map((message) => ({ code: "count_mismatch", message }));
    const report = await asUsage(() =>
      auditCorpus(corpus.name, utterances, {
        ...(protocol ? { protocol } : {}),
        ...(fold === undefined ? {} : { folds: [fold] }),
        problems: [...problems, ...counted] as Problem[],
        publishedAs: args.scheme === undefined ? corpus.name : "",
        seed,
        shortest,
        longest,
        duplicates,
        openAudio: args.audio,
        decode,
        onProgress: process.stderr.isTTY ? drawProgress : () => {},
      }),
    );
    if (args.json) process.stdout.write(`${JSON.stringify(asJson(report))}\n`);
    else printReport(report);
    return hasLeak(report) ? 1 : 0;
  },
});

function drawProgress(done: number, total: number): void {
  if (done % 100 === 0 || done === total)
    process.stderr.write(`\r${done} of ${total} clips heard${done === total ? "\n" : ""}`);
}

/** The shape that is promised: every problem with all four keys. */
function asJson(report: AuditReport): object {
  const problems = report.problems.map(({ code, id, path, message }) => ({
    code,
    id: id ?? null,
    path: path ?? null,
    message,
  }));
  return { ...report, problems };
}

const counts = (names: Readonly<Record<string, number>>): string =>
  Object.entries(names)
    .map(([name, n]) => `${name} ${n}`)
    .join(", ");

function printReport(report: AuditReport): void {
  const lines = [
    `${report.corpus}: ${report.utterances} utterances, ${report.hours.toFixed(2)} h, sha256 ${report.sha256}`,
    `labels: ${counts(report.labels)}`,
    `speakers: ${counts(report.speakers)}`,
  ];
  for (const { fold, part, utterances, labels, speakers } of report.splits)
    lines.push(`fold ${fold} ${part}: ${utterances} (${counts(labels)}; ${Object.keys(speakers).length} speakers)`);
  const byCode = new Map<string, Problem[]>();
  for (const p of report.problems) byCode.set(p.code, [...(byCode.get(p.code) ?? []), p]);
  for (const [code, list] of byCode) {
    lines.push(`${isLeak({ code }) ? "LEAK " : ""}${code}: ${list.length}`);
    for (const p of list.slice(0, 5)) lines.push(`  ${p.id === undefined ? "" : `${p.id}: `}${p.message}`);
    if (list.length > 5) lines.push(`  and ${list.length - 5} more (--json lists all)`);
  }
  lines.push(hasLeak(report) ? "a result on this split would be worthless: it leaks" : "no leak");
  process.stdout.write(`${lines.join("\n")}\n`);
}

export default audit as AnyCommand;
