/** @file `emosllm features describe` and `features bins`: a voice in words, and the quantile bins that the words come from. */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import {
  BIN_GROUPINGS,
  type BinClip,
  type BinGrouping,
  describeVoice,
  fitVoiceBins,
  loadSpeech,
  measureVoice,
  parseVoiceBins,
  SPOKEN_MEASURES,
  type SpokenMeasure,
  VOICE_LANGUAGES,
  VOICE_STYLES,
  type VoiceStyle,
} from "@emosllm/audio-features";
import { applyProtocol, collect, corpusProtocol, parseCorpus, readClipBytes } from "@emosllm/datasets";
import { type AudioClip, EmosllmError, type Utterance } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import type { AnyCommand } from "./_command.ts";

const SAMPLE_RATE = 16_000;

function oneOf<T extends string>(name: string, value: string, accepted: readonly T[]): T {
  if ((accepted as readonly string[]).includes(value)) return value as T;
  throw new EmosllmError("usage", `--${name} ${value}: expected one of ${accepted.join(", ")}`);
}

async function readBins(path: string): Promise<ReturnType<typeof parseVoiceBins>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new EmosllmError("config_invalid", `--bins ${path}: ${(cause as Error).message}`, { cause });
  }
  return parseVoiceBins(text, path);
}

/** `emosllm features describe FILE... --bins FILE`. */
export const describe: AnyCommand = defineCommand({
  meta: { name: "describe", description: "Says how voices sound, in words; what is not reliable is left out." },
  args: {
    files: { type: "positional", required: true, description: "FILE...: any sound file" },
    bins: { type: "string", required: true, description: "bins of training clips (emosllm features bins)" },
    gender: { type: "string", description: "the speaker's gender, for bins by gender" },
    speaker: { type: "string", description: "the speaker's name, for bins by speaker" },
    transcript: { type: "string", description: "what is said: its syllables give the rate" },
    style: { type: "string", default: "sentences", description: VOICE_STYLES.join(", ") },
    language: { type: "string", default: "en", description: Object.keys(VOICE_LANGUAGES).join(", ") },
    measures: { type: "string", description: `with commas, of ${SPOKEN_MEASURES.join(", ")}` },
    json: { type: "boolean", default: false, description: "print one JSON object per file" },
  },
  async run({ args }) {
    const style: VoiceStyle = oneOf("style", args.style, VOICE_STYLES);
    const language = oneOf("language", args.language, Object.keys(VOICE_LANGUAGES));
    const wanted: SpokenMeasure[] | undefined = args.measures
      ?.split(",")
      .map((name) => oneOf("measures", name.trim(), SPOKEN_MEASURES));
    const bins = await readBins(args.bins);
    const { transcript } = args;
    if (transcript !== undefined && bins.rateFrom === "nuclei")
      throw new EmosllmError(
        "usage",
        `--transcript: the bins of ${args.bins} count syllables in the sound; fit them with --transcripts`,
      );
    for (const path of args._) {
      const samples = await loadSpeech({ path }, { sampleRate: SAMPLE_RATE });
      const measured = measureVoice(samples, SAMPLE_RATE, transcript === undefined ? {} : { transcript });
      const comparable = transcript !== undefined || bins.rateFrom === "nuclei";
      const measures = comparable ? measured : { ...measured, rate: null };
      const said = describeVoice(measures, bins, {
        style,
        language,
        ...(args.gender === undefined ? {} : { gender: args.gender }),
        ...(args.speaker === undefined ? {} : { speaker: args.speaker }),
        ...(wanted === undefined ? {} : { measures: wanted }),
      });
      process.stdout.write(
        args.json
          ? `${JSON.stringify({ file: path, ...said, measures })}\n`
          : `${args._.length > 1 ? `${path}: ` : ""}${said.text}\n`,
      );
    }
  },
});

async function loadClip(clip: AudioClip): Promise<Float32Array> {
  if (clip.container === undefined || clip.byteOffset !== undefined)
    return loadSpeech(clip, { sampleRate: SAMPLE_RATE });
  const { start, end, channel } = clip;
  return loadSpeech(await readClipBytes(clip), {
    sampleRate: SAMPLE_RATE,
    name: `${clip.path}: ${clip.member ?? ""}`,
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(channel === undefined ? {} : { channel }),
  });
}

/** The training part of a corpus; all of it when no protocol is given. */
async function trainingClips(reference: string, protocolName: string | undefined, fold: number): Promise<Utterance[]> {
  try {
    const corpus = parseCorpus(reference);
    const utterances = await collect(corpus.entry.load(corpus.path, { onProblem: () => {} }));
    if (protocolName === undefined) return utterances;
    const split = applyProtocol(await corpusProtocol(corpus, protocolName), utterances, { fold });
    const train = new Set(split.train);
    return utterances.filter(({ id }) => train.has(id));
  } catch (cause) {
    if (cause instanceof EmosllmError && cause.code === "config_invalid")
      throw new EmosllmError("usage", cause.message, { cause });
    throw cause;
  }
}

/** `emosllm features bins CORPUS --out FILE`. */
export const bins: AnyCommand = defineCommand({
  meta: { name: "bins", description: "Fits the quantile bins of voice descriptions, on the training part only." },
  args: {
    corpus: { type: "positional", required: true, description: "NAME:PATH (emosllm corpus list)" },
    out: { type: "string", required: true, description: "the JSON file to write" },
    by: { type: "string", default: "gender", description: BIN_GROUPINGS.join(", ") },
    protocol: { type: "string", description: "split protocol; without one every clip counts as training" },
    fold: { type: "string", default: "1", description: "fold of the protocol, from 1" },
    transcripts: { type: "boolean", default: false, description: "count syllables in the corpus' transcripts" },
    json: { type: "boolean", default: false, description: "print a summary as JSON" },
  },
  async run({ args }) {
    const by: BinGrouping = oneOf("by", args.by, BIN_GROUPINGS);
    const fold = Number(args.fold);
    if (!Number.isInteger(fold) || fold < 1)
      throw new EmosllmError("usage", `--fold ${args.fold}: expected a whole number of at least 1`);
    const clips: BinClip[] = [];
    for (const { audio, gender, speaker, text } of await trainingClips(args.corpus, args.protocol, fold)) {
      const samples = await loadClip(audio);
      const measured = measureVoice(samples, SAMPLE_RATE, args.transcripts && text ? { transcript: text } : {});
      const measures = args.transcripts && !text ? { ...measured, rate: null } : measured;
      clips.push({
        measures,
        ...(gender === undefined ? {} : { gender }),
        ...(speaker === undefined ? {} : { speaker }),
      });
    }
    const fitted = fitVoiceBins(clips, { by, rateFrom: args.transcripts ? "transcript" : "nuclei" });
    const temporary = `${args.out}.${randomUUID()}.tmp`;
    try {
      await writeFile(temporary, `${JSON.stringify(fitted, null, 1)}\n`);
      await rename(temporary, args.out);
    } catch (cause) {
      await rm(temporary, { force: true });
      throw new EmosllmError("config_invalid", `--out ${args.out}: ${(cause as Error).message}`, { cause });
    }
    const groups = Object.fromEntries(Object.entries(fitted.groups).map(([name, group]) => [name, group.clips]));
    if (args.json) process.stdout.write(`${JSON.stringify({ out: args.out, by, groups })}\n`);
    else process.stderr.write(`bins of ${clips.length} clips in ${args.out}\n`);
  },
});
