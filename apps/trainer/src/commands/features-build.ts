/** @file `emosllm features build`: computes the features of a corpus into a cache, or one shard's part of them. */
import {
  type BuildEvent,
  type BuildSummary,
  buildFeatures,
  cacheableFeature,
  FEATURE_KINDS,
  loadSpeech,
  workShard,
} from "@emosllm/audio-features";
import { collect, openCorpus, readClipBytes } from "@emosllm/datasets";
import { type AudioClip, type CorpusProblem, EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { parseSettings } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";
import { ENCODER_ARGS, ENCODER_KINDS, openEncoderFeatures } from "./_encoder-feature.ts";

const SAMPLE_RATE = 16_000;

/** Containers that only the corpus reader can look into give their bytes; files are read in place, by range. */
async function loadClip(clip: AudioClip, sampleRate: number): Promise<Float32Array> {
  if (clip.container === undefined || clip.byteOffset !== undefined) return loadSpeech(clip, { sampleRate });
  const { start, end, channel } = clip;
  return loadSpeech(await readClipBytes(clip), {
    sampleRate,
    name: `${clip.path}: ${clip.member ?? ""}`,
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(channel === undefined ? {} : { channel }),
  });
}

function wholeArg(name: string, value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1)
    throw new EmosllmError("usage", `--${name} ${value}: expected a whole number of at least 1`);
  return number;
}

/** One line, redrawn at most ten times a second. */
function progressLine(): (event: BuildEvent) => void {
  const began = Date.now();
  let drawn = 0;
  let seconds = 0;
  return (event) => {
    seconds += event.seconds;
    const { done, total } = event;
    const now = Date.now();
    if (now - drawn < 100 && done < total) return;
    drawn = now;
    const share = total > 0 ? done / total : 1;
    const bar = "#".repeat(Math.round(share * 30)).padEnd(30, ".");
    const elapsed = (now - began) / 1000;
    const left = share > 0 ? Math.round(elapsed / share - elapsed) : 0;
    const speed = elapsed > 0 ? Math.round(seconds / elapsed) : 0;
    process.stderr.write(`\r[${bar}] ${done}/${total} clips, ${speed}x real time, ${left} s left  `);
    if (done === total) process.stderr.write("\n");
  };
}

const build: AnyCommand = defineCommand({
  meta: {
    name: "build",
    description:
      "Computes the features of a corpus into a cache; what is there already is not computed again. Exit code 1 when a clip failed.",
  },
  args: {
    corpus: {
      type: "positional",
      required: true,
      description: "NAME:PATH, e.g. iemocap:/data/IEMOCAP (emosllm corpus list)",
    },
    features: {
      type: "string",
      required: true,
      description: `one or more, with commas, of ${[...FEATURE_KINDS, ...ENCODER_KINDS].join(", ")}`,
    },
    ...ENCODER_ARGS,
    settings: { type: "string", description: `JSON of the feature's options, e.g. '{"numMelBins":80}'` },
    cache: { type: "string", required: true, description: "the cache's folder" },
    shard: {
      type: "string",
      description:
        "i/n: only the i-th of n parts, i from 0 (default: JOB_COMPLETION_INDEX with EMOSLLM_SHARDS, SLURM_ARRAY_TASK_ID, or all)",
    },
    "clips-per-shard": { type: "string", default: "64", description: "clips of one safetensors file" },
    "allow-failed": {
      type: "boolean",
      default: false,
      description: "exit code 0 even when clips failed (they are still named)",
    },
    json: { type: "boolean", default: false, description: "print failures and the summary as JSON lines" },
  },
  async run({ args }) {
    const features = [...new Set(args.features.split(",").map((kind) => kind.trim()))];
    const settings = parseSettings(args.settings);
    if (features.length > 1 && args.settings !== undefined)
      throw new EmosllmError("usage", "--settings go with one feature only");
    const shard = workShard(args.shard, process.env);
    const clipsPerShard = wholeArg("clips-per-shard", args["clips-per-shard"]);
    const problems: CorpusProblem[] = [];
    const utterances = await openUtterances(args.corpus, problems);
    const clips = utterances.map(({ id, audio }) => ({ id, audio }));
    const began = performance.now();
    const draw = process.stderr.isTTY ? progressLine() : () => {};
    const encoder = features.some((kind) => ENCODER_KINDS.includes(kind)) ? await openEncoderFeatures(args) : undefined;
    const sampleRate = encoder?.sampleRate ?? SAMPLE_RATE;
    if (sampleRate !== SAMPLE_RATE && features.some((kind) => !ENCODER_KINDS.includes(kind)))
      throw new EmosllmError(
        "usage",
        `--model ${args.model} takes ${sampleRate} Hz, the other features ${SAMPLE_RATE} Hz: build them apart`,
      );
    let summary: BuildSummary;
    try {
      summary = await buildFeatures(clips, {
        features: features.map((kind) =>
          encoder && ENCODER_KINDS.includes(kind) ? encoder.feature(kind) : cacheableFeature(kind, settings),
        ),
        cache: args.cache,
        shard,
        clipsPerShard,
        sampleRate,
        load: loadClip,
        onEvent: (event) => {
          draw(event);
          if (event.type !== "failed") return;
          if (args.json) process.stdout.write(`${JSON.stringify({ failed: event.id, message: event.message })}\n`);
          else process.stderr.write(`${event.id}: ${event.message}\n`);
        },
      });
    } finally {
      await encoder?.dispose();
    }
    const wall = (performance.now() - began) / 1000;
    if (args.json)
      process.stdout.write(
        `${JSON.stringify({ ...summary, shard: `${shard.index}/${shard.count}`, corpusProblems: problems.length, wall })}\n`,
      );
    else
      process.stdout.write(
        `${summary.clips} clips (${(summary.seconds / 3600).toFixed(2)} h): ${summary.computed} computed, ${summary.cached} in the cache, ` +
          `${summary.failed} failed; ${wall.toFixed(1)} s, ${Math.round(summary.seconds / wall)}x real time\n`,
      );
    return summary.failed > 0 && !args["allow-failed"] ? 1 : 0;
  },
});
export default build;

async function openUtterances(
  reference: string,
  problems: CorpusProblem[],
): Promise<{ id: string; audio: AudioClip }[]> {
  try {
    return await collect(openCorpus(reference, { onProblem: (problem) => problems.push(problem) }));
  } catch (cause) {
    if (cause instanceof EmosllmError && cause.code === "config_invalid")
      throw new EmosllmError("usage", cause.message, { cause });
    throw cause;
  }
}
