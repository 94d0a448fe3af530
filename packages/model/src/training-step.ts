/**
 * @file How much memory and work training will take, from a configuration alone: nothing is packed, compiled or run. The values of a step come
 * from the step's own graph (`liveBytes`); what else there is (weights, what is trained, the process itself) from sizes.
 */
import { type Backward, type LanguageModel, type Precision, plannedPrecision } from "@emosllm/backbones";
import type { PackedBlock } from "@emosllm/checkpoints";
import { type Tensor, gradients, input, isOp, topologicalOrder } from "@emosllm/graph";
import { type GraphWork, bytesPerElement, graphWork, liveBytes } from "@emosllm/runtime";
import { type EmoSllmParts, type GradientCheckpointing, buildGraph, trainedShapes, weightedLoss } from "./assemble.ts";
import type { LaidOutBatch } from "./batch.ts";
import type { BatchForm } from "./step-inputs.ts";
import { prepacksByDefault } from "./training-defaults.ts";

/** Sizes of the largest batch. */
export interface BatchSizes {
  readonly rows: number;
  /** Tokens that all rows share; 0 for none. */
  readonly prefix: number;
  /** Tokens of the longest row after the prefix, the audio's vectors and the answer among them. */
  readonly suffix: number;
  /** Of all rows together; `rows * suffix` when not given. */
  readonly tokens?: number;
  /** Of the longest clip; 0 for a batch without audio. */
  readonly frames: number;
  /** Of all clips together; `rows * frames` when not given. */
  readonly ownFrames?: number;
  /** Answer tokens of all rows. */
  readonly labels: number;
  /** Answers a row; 1 when not given. */
  readonly answers?: number;
}

/** Those of a batch that is there. */
export function sizesOf({ feeds, form, labels }: LaidOutBatch): BatchSizes {
  const size = (name: string, axis: number): number => feeds[name]?.shape[axis] ?? 0;
  return {
    rows: size("token_places", 0),
    prefix: size("prefix_ids", 0),
    suffix: size("token_places", 1),
    tokens: size("ids", 0),
    frames: size("audio_features", 1),
    ownFrames: size("frame_places", 0),
    labels: labels.length,
    ...(form.branched ? { answers: 1 + Math.max(...labels.map(({ answer }) => answer)) } : {}),
  };
}

/** Options of {@link predictTrainingStep}. */
export interface TrainingStepOptions {
  /** How the frozen layers will be held; as they are in `parts` when not given. */
  readonly precision?: Precision | undefined;
  readonly blockSize?: PackedBlock | undefined;
  readonly backward?: Backward | undefined;
  readonly gradientCheckpointing?: GradientCheckpointing | undefined;
  /** Micro-batches of an update. */
  readonly gradientAccumulationSteps?: number;
  /** A running mean of the trained values is kept. */
  readonly averages?: boolean;
  /** As the runtime's `SessionOptions` have it; as training has it when not given. */
  readonly prepack?: boolean | undefined;
}

/** Bytes, by what they are for. */
export interface TrainingMemory {
  /** The most that the process will have in memory (resident set). */
  readonly peak: number;
  /** Node.js, onnxruntime, and what a program of so many operations takes. */
  readonly process: number;
  /** Frozen weights: mapped ones that are read, and packed copies. */
  readonly weights: number;
  /** Trained values, their gradients and the optimiser's state. */
  readonly trained: number;
  /** Values of a step. */
  readonly values: number;
}

/** The loss and its gradients as they would be run, and the sizes of their dimensions. */
interface PlannedStep {
  readonly outputs: readonly Tensor[];
  readonly sizes: Readonly<Record<string, number>>;
}

function planStep(
  parts: EmoSllmParts,
  batch: BatchSizes,
  { precision, blockSize, backward = "quantised", gradientCheckpointing }: TrainingStepOptions,
): PlannedStep {
  const languageModel: LanguageModel =
    precision === undefined
      ? parts.languageModel
      : plannedPrecision(parts.languageModel, { precision, blockSize, backward });
  const { rows, prefix, suffix, frames, labels, answers = 1 } = batch;
  const form: BatchForm = { shared: prefix > 0, audio: frames > 0, branched: answers > 1 };
  const graph = buildGraph({ ...parts, languageModel }, form, {
    gradientCheckpointing,
    ...((parts.adapter?.config.lora_dropout ?? 0) > 0 ? { dropoutKey: input("dropout_key", [], "i64") } : {}),
  });
  const loss = weightedLoss(graph);
  const sizes = {
    rows,
    prefix,
    suffix,
    frames,
    own_frames: batch.ownFrames ?? rows * frames,
    labels,
    tokens: batch.tokens ?? rows * suffix,
    slots: Math.ceil(labels / rows),
  };
  return { outputs: [loss, ...gradients(loss, Object.values(graph.parameters))], sizes };
}

/** What a step will take. */
export interface StepPrediction {
  /** Within 20 % of what was measured on x64 Linux (see the README). */
  readonly memory: TrainingMemory;
  /** For an estimate of its time; the optimiser's own part is small. */
  readonly work: GraphWork;
}

/** What a step of one batch will take. Throws what building the graph throws. */
export function predictTrainingStep(
  parts: EmoSllmParts,
  batch: BatchSizes,
  options: TrainingStepOptions = {},
): StepPrediction {
  const { gradientAccumulationSteps = 1, gradientCheckpointing } = options;
  const { outputs, sizes } = planStep(parts, batch, options);
  const { peak: values, ops } = liveBytes(outputs, sizes);
  const count = Object.values(trainedShapes(parts)).reduce((n, shape) => n + shape.reduce((a, b) => a * b, 1), 0);
  // Values, gradients, two moments; one set more to add micro-batches up; one for the mean.
  const sets = 4 + Number(gradientAccumulationSteps > 1) + Number(options.averages ?? false);
  const terms = {
    process: PROCESS + PER_OP * ops,
    weights: frozenBytes(outputs, options.prepack ?? prepacksByDefault(gradientCheckpointing)),
    // Gradients are copied on their way to JavaScript.
    trained: 4 * count * (sets + 1),
    values: values * FRAGMENTATION,
  };
  return {
    memory: { peak: terms.process + terms.weights + terms.trained + terms.values, ...terms },
    work: graphWork(outputs, sizes),
  };
}

const MIB = 2 ** 20;
/** Node.js with onnxruntime and this program's code. */
const PROCESS = 150 * MIB;
/** An operation in the graph, in the model and in the session. */
const PER_OP = 12 * 1024;
/** The arena's blocks are not filled to the end. */
const FRAGMENTATION = 1.15;

/** Bytes that onnxruntime's own copy of packed weights takes, for one of theirs, as measured. */
const COPIES = { int8: 1.3, bits8: 1.27, bits4: 1.5 } as const;

function copyOf(t: Tensor): number {
  if (isOp(t, "matMulInt8")) return COPIES.int8;
  if (isOp(t, "matMulNBits")) return t.attrs.bits === 4 ? COPIES.bits4 : COPIES.bits8;
  return 1;
}

/**
 * Frozen weights: rows that are only looked up take little; f32 that is prepacked is there once for each way it is multiplied, and as it was
 * where rows of it are looked up too (the output matrix that is the embeddings): all of it has been read for packing.
 */
function frozenBytes(outputs: readonly Tensor[], prepack: boolean): number {
  const bytesOf = (t: Tensor): number =>
    (t.shape as readonly number[]).reduce((a, b) => a * b, bytesPerElement(t.dtype));
  const order = topologicalOrder(outputs);
  const nameOf = (t: Tensor | undefined): string[] => (t && isOp(t, "weight") ? [t.attrs.name] : []);
  const lookedUp = new Set(order.flatMap((t) => (t.op === "gather" ? nameOf(t.inputs[0]) : [])));
  const read = new Map<string, number>();
  for (const t of order) {
    if (t.op === "gather") continue;
    for (const i of t.inputs) {
      if (!isOp(i, "weight")) continue;
      const { name } = i.attrs;
      const packed = prepack && i.dtype === "f32" && isOp(t, "matmul");
      if (!packed) read.set(name, bytesOf(i) * copyOf(t));
      else {
        read.set(`${name} ${t.attrs.transB}`, bytesOf(i));
        if (lookedUp.has(name)) read.set(name, bytesOf(i));
      }
    }
  }
  return [...read.values()].reduce((a, b) => a + b, 0);
}
