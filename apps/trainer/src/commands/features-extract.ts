/** @file `emosllm features extract`: features of sound files as one safetensors file, one tensor per input. */
import { access, constants, stat } from "node:fs/promises";
import { basename, dirname, extname, resolve } from "node:path";
import {
  assertFeatureSettings,
  extractFeatures,
  FEATURE_KINDS,
  type FeatureFrames,
  type FeatureSettings,
  loadSpeech,
} from "@emosllm/audio-features";
import { type StoredTensor, writeSafetensors } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { defineCommand } from "citty";
import { parseSettings } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";
import { ENCODER_ARGS, ENCODER_KINDS, openEncoderFeatures } from "./_encoder-feature.ts";

const KINDS: readonly string[] = [...FEATURE_KINDS, ...ENCODER_KINDS];

function sampleRateArg(text: string): number {
  const rate = Number(text);
  if (!Number.isInteger(rate) || rate < 1000 || rate > 768_000)
    throw new EmosllmError("usage", `--sample-rate ${text}: expected a whole number of Hz from 1000 to 768000`);
  return rate;
}

function settingsArg(kind: string, settings: FeatureSettings): void {
  try {
    assertFeatureSettings(kind, settings);
  } catch (cause) {
    throw new EmosllmError("usage", `--settings: ${(cause as Error).message}`, { cause });
  }
}

/** Says before the work, not after it, that a file cannot be written. */
async function writableArg(file: string): Promise<void> {
  const folder = dirname(resolve(file));
  const wrong = (why: string): EmosllmError =>
    new EmosllmError("usage", `--out ${file}: ${why}; expected a file in a folder that can be written to`);
  const parent = await stat(folder).catch(() => undefined);
  const other = extname(file);
  if (other !== "" && other !== ".safetensors")
    throw new EmosllmError("usage", `--out ${file}: is written as safetensors, but its name ends in ${other}`);
  if (parent === undefined) throw wrong(`there is no folder ${folder}`);
  if (!parent.isDirectory()) throw wrong(`${folder} is not a folder`);
  if ((await stat(file).catch(() => undefined))?.isDirectory()) throw wrong("is a folder");
  await access(folder, constants.W_OK).catch(() => {
    throw wrong(`${folder} cannot be written to`);
  });
}

/** `files` by their base names, which become the tensors' names. */
export function byBaseName(files: readonly string[]): Map<string, string> {
  if (files.length === 0) throw new EmosllmError("usage", "no input file");
  const named = new Map<string, string>();
  for (const file of files) {
    const name = basename(file);
    const other = named.get(name);
    if (other !== undefined)
      throw new EmosllmError("usage", `${other} and ${file} have the same base name, which names their tensors`);
    named.set(name, file);
  }
  return named;
}

const extract: AnyCommand = defineCommand({
  meta: {
    name: "extract",
    description:
      "Writes [frames, features] per file, named by its base name; names, times and settings stand in the metadata.",
  },
  args: {
    files: { type: "positional", required: true, description: "FILE...: any sound file" },
    features: { type: "string", required: true, description: `one of ${KINDS.join(", ")}` },
    ...ENCODER_ARGS,
    out: { type: "string", required: true, description: "the safetensors file to write" },
    "sample-rate": {
      type: "string",
      description: "Hz that files are resampled to first (default: 16000, or the encoder's own)",
    },
    settings: { type: "string", description: `JSON of the feature's options, e.g. '{"numMelBins":80}'` },
    json: { type: "boolean", default: false, description: "print one JSON object per file" },
  },
  async run({ args }) {
    const kind = args.features;
    if (!KINDS.includes(kind))
      throw new EmosllmError("usage", `--features ${kind}: expected one of ${KINDS.join(", ")}`);
    const settings = parseSettings(args.settings);
    if (!ENCODER_KINDS.includes(kind)) settingsArg(kind, settings);
    await writableArg(args.out);
    const named = byBaseName(args._);
    const asked = args["sample-rate"] === undefined ? undefined : sampleRateArg(args["sample-rate"]);
    const encoder = ENCODER_KINDS.includes(kind) ? await openEncoderFeatures(args) : undefined;
    const sampleRate = asked ?? encoder?.sampleRate ?? 16_000;
    const feature = encoder?.feature(kind);
    const compute = async (samples: Float32Array): Promise<FeatureFrames> =>
      feature ? feature.compute(samples, sampleRate) : extractFeatures(kind, samples, sampleRate, settings);
    const tensors = new Map<string, StoredTensor>();
    const times: Record<string, { start_seconds: number; hop_seconds: number; duration_seconds: number }> = {};
    let names: readonly string[] = [];
    try {
      for (const [name, path] of named) {
        const samples = await loadSpeech({ path }, { sampleRate });
        const frames = await compute(samples).catch((cause: unknown) => {
          // What is wrong with a clip is said of its file.
          if (cause instanceof RangeError) throw new EmosllmError("usage", `${path}: ${cause.message}`, { cause });
          if (cause instanceof EmosllmError) throw new EmosllmError(cause.code, `${path}: ${cause.message}`, { cause });
          throw cause;
        });
        const shape = [frames.frames, frames.features];
        tensors.set(name, { dtype: "f32", shape, data: frames.data });
        times[name] = {
          start_seconds: frames.startSeconds,
          hop_seconds: frames.hopSeconds,
          duration_seconds: samples.length / sampleRate,
        };
        names = frames.names;
        if (args.json) process.stdout.write(`${JSON.stringify({ file: path, tensor: name, shape })}\n`);
      }
    } finally {
      await encoder?.dispose();
    }
    await writeSafetensors(args.out, tensors, {
      features: kind,
      sample_rate: String(sampleRate),
      settings: JSON.stringify(feature?.settings ?? settings),
      ...(feature?.model === undefined ? {} : { model: feature.model }),
      feature_names: JSON.stringify(names),
      times: JSON.stringify(times),
    });
    if (!args.json) process.stderr.write(`${tensors.size} tensors in ${args.out}\n`);
  },
});
export default extract;
