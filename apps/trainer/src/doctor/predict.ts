/**
 * @file How much memory and time the steps of a config will take, before anything is trained: batches are drawn as training draws them, with frames
 * of the right lengths and nothing in them, and given to `predictTrainingStep`.
 */
import { EmosllmError, type FrontEndManifest, type Utterance } from "@emosllm/interfaces";
import { blockForManyTokens } from "@emosllm/backbones";
import { emotionScheme } from "@emosllm/datasets";
import { type TrainingMemory, openFrontEnd, predictTrainingStep, sizesOf } from "@emosllm/model";
import type { GraphWork } from "@emosllm/runtime";
import { streamSet } from "@emosllm/training";
import { batchSource } from "../training/batches.ts";
import type { TrainConfig } from "../training/config.ts";
import { type Sample, frontEndSettings, waveformFrontEnd } from "../training/data.ts";
import { utteranceSpeech } from "../clip-speech.ts";
import { assembleModel } from "../training/model.ts";
import { globalBatch } from "../training/ranks.ts";
import { resolveStages } from "../training/stages.ts";
import { stepBatches } from "../training/step-batches.ts";

/** Clips whose length is looked at; the others get one of these lengths. */
const LOOKED_AT = 64;
/** Steps of each stage whose batches are drawn. */
const DRAWN = 8;

/** What `predictTrainingStep` counts for a process with nothing but the model's packages. */
const BARE_PROCESS = 150 * 2 ** 20;
/**
 * Every batch has a shape of its own, and onnxruntime's arena keeps what the one before had in other places. Measured with the demo at 24, 48,
 * 96 rows and at twice the frames: the prediction is then 15 % below to 15 % above the peak.
 */
const SHAPES = 1.2;

/** What training will take. */
export interface Prediction {
  /** Of the largest of the steps looked at. */
  readonly memory: TrainingMemory;
  /** Of one step on average. */
  readonly work: GraphWork;
  /** Of all stages. */
  readonly steps: number;
}

/** What the steps of a config will take here. Throws EmosllmError for models or sound that are not there. */
export async function predictTraining(config: TrainConfig, train: readonly Utterance[]): Promise<Prediction> {
  const settings = await frontEndSettings(config);
  const { lengths, features, perClip } = await lookAt(settings, train, config.encoder_lora !== undefined);
  const measured: FrontEndManifest = { ...settings, mean: zeros(features), std: zeros(features) };
  const adaptedEncoder =
    config.encoder_lora && settings.encoder
      ? { encoder: settings.encoder, mean: measured.mean, std: measured.std }
      : undefined;
  const frontEnd = adaptedEncoder ? waveformFrontEnd(measured) : measured;
  const scheme = emotionScheme(config.scheme);
  // The layout in memory follows from sizes: nothing is packed for it.
  const model = await assembleModel({ ...config, precision: "f32" }, { scheme, frontEnd, adaptedEncoder });
  const width = frontEnd.mean.length;
  const samples = train.map((utterance, i): Sample => {
    const length = lengths[i % lengths.length] as number;
    const frames = async () => ({ data: new Float32Array(length * width), length });
    // As long as a description gets.
    const voice = config.voice_description.enabled ? "A low, quiet voice that speaks slowly with little variation." : undefined; // prettier-ignore
    return { utterance, label: utterance.label, context: [], length, frames, corruptedFrames: frames, voice };
  });
  const { parts, tokenizer, prompts, labels } = model;
  const streams = streamSet(config.seed);
  let most: TrainingMemory | undefined;
  const work = { f32: 0, int8: 0, blocks: 0, bytes: 0, ops: 0 };
  let steps = 0;
  const { rank, size } = { rank: 0, size: 1 };
  for (const stage of resolveStages(globalBatch(config, { rank, size }), () => samples.length)) {
    const context = { tokenizer, scheme, config, labelWeights: undefined };
    const source = batchSource({ config: stage.config, samples, prompts, labels, context, streams, prefix: stage.prefix, onBad: () => undefined }); // prettier-ignore
    const looked = Math.min(DRAWN, stage.steps);
    steps += stage.steps;
    for (let step = 0; step < looked; step++) {
      const drawn = [];
      for (let i = 0; i < stage.config.gradient_accumulation_steps; i++) drawn.push(await source.next());
      const sizes = { vectors: parts.projector.vectors, audioSize: parts.audioSize };
      const batches = stepBatches(drawn, sizes, { rank, size }, stage.config.max_tokens);
      const how = {
        precision: config.precision,
        blockSize: config.block_size ?? blockForManyTokens(config.precision),
        backward: config.backward,
        gradientCheckpointing: stage.config.gradient_checkpointing,
        gradientAccumulationSteps: batches.length,
        averages: config.ema_decay > 0,
        prepack: stage.config.prepack_weights ?? undefined,
      };
      for (const batch of batches) {
        const predicted = predictTrainingStep(parts, sizesOf(batch), how);
        if (!most || predicted.memory.peak > most.peak) most = predicted.memory;
        for (const key of Object.keys(work) as (keyof GraphWork)[])
          work[key] += (predicted.work[key] * stage.steps) / looked;
      }
    }
  }
  if (!most) throw new EmosllmError("config_invalid", "the config trains no step");
  const frames = settings.encoder ? 0 : perClip * train.length * features * 4;
  // This process has loaded the same code and decoded the same sound: more than a bare one holds.
  const own = most.process + Math.max(0, process.memoryUsage.rss() - BARE_PROCESS) + frames;
  const values = most.values * SHAPES;
  const memory = { ...most, process: own, values, peak: own + most.weights + most.trained + values };
  for (const key of Object.keys(work) as (keyof GraphWork)[]) work[key] /= steps;
  return { memory, work, steps };
}

const zeros = (n: number): number[] => Array.from({ length: n }, () => 0);

/** Frames of clips spread over the part; frames a second are told by the first that can be read. */
async function lookAt(
  settings: Awaited<ReturnType<typeof frontEndSettings>>,
  train: readonly Utterance[],
  asSound: boolean,
): Promise<{ lengths: number[]; features: number; perClip: number }> {
  const frontEnd = await openFrontEnd(settings);
  try {
    const every = Math.max(1, Math.floor(train.length / LOOKED_AT));
    const lengths: number[] = [];
    let first: { frames: number; features: number; samples: number } | undefined;
    let last: unknown;
    for (let i = 0; i < train.length; i += every) {
      try {
        const samples = await utteranceSpeech(train[i] as Utterance, settings.sample_rate);
        if (!first) {
          const [raw] = await frontEnd.frames([samples]);
          if (!raw) continue;
          first = { frames: raw.frames, features: raw.features, samples: samples.length };
        }
        lengths.push(asSound ? samples.length : Math.round((samples.length * first.frames) / first.samples));
      } catch (error) {
        if (!(error instanceof EmosllmError) || !error.code.startsWith("audio_")) throw error;
        last = error;
      }
    }
    if (!first || lengths.length === 0)
      throw last ?? new EmosllmError("corpus_invalid", "no training clip can be read");
    const perClip = lengths.reduce((a, b) => a + b, 0) / lengths.length;
    return { lengths, features: first.features, perClip };
  } finally {
    await frontEnd.dispose();
  }
}
