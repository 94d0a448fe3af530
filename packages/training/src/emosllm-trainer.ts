/** @file The trainer of an EmoSLLM: a {@link Trainer} whose kinds of batch are the model's forms. */
import {
  type EmoSllmGraph,
  type EmoSllmParts,
  type GradientCheckpointing,
  type LaidOutBatch,
  buildGraph,
  formKey,
  prepacksByDefault,
  trainedShapes,
  weightedLoss,
  weightsOf,
} from "@emosllm/model";
import { add, input } from "@emosllm/graph";
import type { BatchForm } from "@emosllm/model";
import type { CompileOptions, HostTensor } from "@emosllm/runtime";
import { scoredLoss } from "./answer-loss.ts";
import type { LossScaling } from "./loss-scale.ts";
import { type MicroStep, type Trainer, openTrainer } from "./step.ts";
import type { GradientTransformation, Tensors } from "./transform.ts";

/** Options of {@link openEmoSllmTrainer}. */
export interface EmoSllmTrainerOptions extends Omit<CompileOptions, "weights"> {
  readonly parts: EmoSllmParts;
  readonly optimiser: GradientTransformation;
  /** Parameters that stay as they are: trained ones by name, with their values. */
  readonly frozen?: Readonly<Record<string, HostTensor>>;
  /** Exponent of the focal loss, for scored batches. */
  readonly focalGamma?: number;
  /** `gradient_checkpointing`: compute layers again for the gradient instead of keeping their values. */
  readonly gradientCheckpointing?: GradientCheckpointing | undefined;
  /** For language models in `f16`. */
  readonly lossScaling?: LossScaling | undefined;
  /** Extra outputs of the gradient program. */
  readonly outputs?: (graph: EmoSllmGraph) => Tensors;
}

/** A laid-out batch; with `scored`, its feeds hold those of `scoredFeeds` and the scored loss is added. */
export interface TrainingBatch extends LaidOutBatch {
  readonly scored?: boolean;
}

/** See {@link Trainer}; takes laid-out batches. With `lora_dropout`, feeds hold `dropout_key`, an i64 scalar, another one each batch. */
export interface EmoSllmTrainer extends Omit<Trainer, "accumulate"> {
  accumulate(batch: TrainingBatch, first: boolean): Promise<MicroStep>;
}

/** Opens a trainer for projector and adapter; the parameters are zero until they are set. */
export async function openEmoSllmTrainer({
  parts,
  optimiser,
  outputs,
  frozen = {},
  focalGamma = 0,
  gradientCheckpointing,
  prepack = prepacksByDefault(gradientCheckpointing),
  ...options
}: EmoSllmTrainerOptions): Promise<EmoSllmTrainer> {
  const forms = new Map<string, { readonly form: BatchForm; readonly scored: boolean }>();
  const isTrained = ([name]: readonly [string, unknown]): boolean => !(name in frozen);
  const dropoutKey = (parts.adapter?.config.lora_dropout ?? 0) > 0 ? input("dropout_key", [], "i64") : undefined;
  const trainer = await openTrainer({
    ...options,
    prepack,
    weights: weightsOf(parts),
    shapes: Object.fromEntries(Object.entries(trainedShapes(parts)).filter(isTrained)),
    optimiser,
    graph: (kind) => {
      const { form, scored } = forms.get(kind) as { form: BatchForm; scored: boolean };
      const graph = buildGraph(parts, form, { gradientCheckpointing, ...(dropoutKey ? { dropoutKey } : {}) });
      const tokens = weightedLoss(graph);
      return {
        loss: scored ? add(tokens, scoredLoss(graph.losses, { gamma: focalGamma })) : tokens,
        parameters: Object.fromEntries(Object.entries(graph.parameters).filter(isTrained)),
        ...(outputs ? { outputs: outputs(graph) } : {}),
      };
    },
  });
  return {
    ...trainer,
    accumulate: (batch, first) => {
      const { form, scored = false } = batch;
      const kind = `${formKey(form)}${scored ? " scored" : ""}`;
      forms.set(kind, { form, scored });
      return trainer.accumulate(kind, { ...frozen, ...batch.feeds }, first);
    },
  };
}
