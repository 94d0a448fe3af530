/** @file `emosllm corpus`: audit a corpus and its splits, write it in another form, list what there is. */
import { decodeAudio, selectChannel } from "@emosllm/audio-features";
import {
  type AuditReport,
  CORPORA,
  PROTOCOLS,
  SCHEMES,
  applyProtocol,
  auditCorpus,
  collect,
  compareWithPublished,
  corpusProtocol,
  type CorpusReference,
  type DecodedSound,
  emotionScheme,
  EXPORT_FORMATS,
  EXTRA_COLUMNS,
  exportCorpus,
  type ExportFormat,
  hasLeak,
  isLeak,
  mapLabel,
  parseCorpus,
  type Problem,
  type Protocol,
} from "@emosllm/datasets";
import { type AudioClip, type CorpusProblem, EmosllmError, type Utterance } from "@emosllm/interfaces";
import { type CommandDef, defineCommand } from "citty";
import { numberArg, oneOf, wholeArg } from "./_args.ts";

const CORPUS_ARG = {
  type: "positional",
  required: true,
  description: `NAME:PATH, NAME one of ${Object.keys(CORPORA).join(", ")}`,
} as const;
const PROTOCOL_ARG = {
  type: "string",
  description: `split protocol: ${Object.keys(PROTOCOLS).join(", ")}, emobox, emobox:FOLDER`,
} as const;
const SCHEME_ARG = { type: "string", description: `label scheme: ${Object.keys(SCHEMES).join(", ")}` } as const;
const SEED_ARG = { type: "string", default: "0", description: "seed of the random rules" } as const;

/** Wrong names on the command line are wrong usage. */
async function asUsage<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof EmosllmError && ["config_invalid", "label_unknown"].includes(cause.code))
      throw new EmosllmError("usage", cause.message, { cause });
    throw cause;
  }
}

const foldArg = (value: string | undefined): number | undefined =>
  value === undefined ? undefined : wholeArg("fold", value, 1);

interface Loaded {
  corpus: CorpusReference;
  raw: Utterance[];
  utterances: Utterance[];
  protocol: Protocol | undefined;
  problems: CorpusProblem[];
}

async function load(
  reference: string,
  schemeName: string | undefined,
  protocolName: string | undefined,
): Promise<Loaded> {
  const corpus = await asUsage(() => parseCorpus(reference));
  const scheme = schemeName === undefined ? undefined : await asUsage(() => emotionScheme(schemeName));
  const protocol = protocolName === undefined ? undefined : await asUsage(() => corpusProtocol(corpus, protocolName));
  const problems: CorpusProblem[] = [];
  const raw = await collect(corpus.entry.load(corpus.path, { onProblem: (p) => problems.push(p) }));
  const utterances = scheme ? raw.flatMap((u) => mapLabel(u, scheme) ?? []) : raw;
  if (utterances.length === 0)
    throw new EmosllmError(
      "corpus_invalid",
      `${reference}: no utterance${scheme ? ` with a label of ${scheme.name}` : ""}; ${problems.length} problems were met${problems[0] ? `, the first: ${problems[0].message}` : ""}`,
    );
  return { corpus, raw, utterances, protocol, problems };
}

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
    const { corpus, raw, utterances, protocol, problems } = await load(args.corpus, args.scheme, args.protocol);
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

const exportCommand = defineCommand({
  meta: {
    name: "export",
    description: "Writes a corpus, or one fold of it, as JSONL, CSV, Parquet, EmoBox or ms-swift lines.",
  },
  args: {
    corpus: CORPUS_ARG,
    out: { type: "string", required: true, description: "the file to write" },
    format: { type: "string", default: "jsonl", description: EXPORT_FORMATS.join(", ") },
    scheme: SCHEME_ARG,
    protocol: PROTOCOL_ARG,
    fold: { type: "string", description: "fold of the protocol, from 1 (default 1)" },
    seed: SEED_ARG,
    embed: { type: "boolean", default: false, description: "Parquet: put the sound into the file" },
    prompt: { type: "string", description: "ms-swift: the question after <audio>" },
    extra: { type: "string", description: "more columns: channel, language, corpus, duration, attributes" },
    json: { type: "boolean", default: false, description: "print one JSON object" },
  },
  async run({ args }) {
    const format: ExportFormat = oneOf("format", args.format, EXPORT_FORMATS);
    const fold = foldArg(args.fold);
    const seed = wholeArg("seed", args.seed, 0);
    if (fold !== undefined && args.protocol === undefined)
      throw new EmosllmError("usage", `--fold ${fold} needs a --protocol`);
    const extra = (args.extra ?? "")
      .split(",")
      .filter((c) => c !== "")
      .map((c) => oneOf("extra", c, EXTRA_COLUMNS));
    const { utterances, protocol, problems } = await load(args.corpus, args.scheme, args.protocol);
    const split = protocol && (await asUsage(() => applyProtocol(protocol, utterances, { fold: fold ?? 1, seed })));
    const result = await exportCorpus(utterances, args.out, {
      format,
      extra,
      embedAudio: args.embed,
      ...(split ? { split } : {}),
      ...(args.prompt === undefined ? {} : { prompt: args.prompt }),
    });
    const card = split && { protocol: split.protocol, fold: split.fold, seed, sha256: split.sha256, ...split.card };
    if (args.json)
      process.stdout.write(
        `${JSON.stringify({ ...result, format, problems: problems.length, split: card ?? null })}\n`,
      );
    else
      process.stdout.write(
        `${result.path}: ${result.rows} rows, sha256 ${result.sha256}; ${problems.length} problems on the way\n`,
      );
  },
});

const splitCommand = defineCommand({
  meta: { name: "split", description: "Prints the split card of one fold: counts, speakers, hours, overlap, hash." },
  args: {
    corpus: CORPUS_ARG,
    protocol: { ...PROTOCOL_ARG, required: true },
    scheme: SCHEME_ARG,
    fold: { type: "string", default: "1", description: "from 1" },
    seed: SEED_ARG,
    json: { type: "boolean", default: true, description: "one JSON object, as always" },
  },
  async run({ args }) {
    const { utterances, protocol } = await load(args.corpus, args.scheme, args.protocol);
    const fold = wholeArg("fold", args.fold, 1);
    const seed = wholeArg("seed", args.seed, 0);
    const split = await asUsage(() => applyProtocol(protocol as Protocol, utterances, { fold, seed }));
    process.stdout.write(
      `${JSON.stringify({ protocol: split.protocol, fold, seed, sha256: split.sha256, ...split.card })}\n`,
    );
  },
});

const list = defineCommand({
  meta: { name: "list", description: "The corpora, schemes and protocols there are." },
  args: { json: { type: "boolean", default: false, description: "print one JSON object per line" } },
  run({ args }) {
    const rows = [
      ...Object.entries(CORPORA).map(([name, c]) => ({
        kind: "corpus",
        name,
        about: c.scheme ? `scheme ${c.scheme}` : "",
      })),
      ...Object.values(SCHEMES).map((s) => ({ kind: "scheme", name: s.name, about: s.labels.join(", ") })),
      ...Object.values(PROTOCOLS).map((p) => ({ kind: "protocol", name: p.name, about: p.description })),
    ];
    for (const row of rows)
      process.stdout.write(
        args.json ? `${JSON.stringify(row)}\n` : `${row.kind.padEnd(9)} ${row.name.padEnd(26)} ${row.about}\n`,
      );
  },
});

const corpus: CommandDef = defineCommand({
  meta: { name: "corpus", description: "Corpora: audit them and their splits, write them in other forms." },
  subCommands: { audit, export: exportCommand, split: splitCommand, list },
});
export default corpus;
