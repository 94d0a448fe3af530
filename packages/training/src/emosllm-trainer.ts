/** @file The trainer of an EmoSLLM: a {@link Trainer} whose kinds of batch are the model's forms. */
import {
  type EmoSllmGraph,
  type EmoSllmParts,
  type LaidOutBatch,
  buildGraph,
  formKey,
  trainedShapes,
  weightedLoss,
} from "@emosllm/model";
import type { BatchForm } from "@emosllm/model";
import type { CompileOptions } from "@emosllm/runtime";
import { type MicroStep, type Trainer, openTrainer } from "./step.ts";
import type { GradientTransformation, Tensors } from "./transform.ts";

/** Options of {@link openEmoSllmTrainer}. */
export interface EmoSllmTrainerOptions extends Omit<CompileOptions, "weights"> {
  readonly parts: EmoSllmParts;
  readonly optimiser: GradientTransformation;
  /** Extra outputs of the gradient program. */
  readonly outputs?: (graph: EmoSllmGraph) => Tensors;
}

/** See {@link Trainer}; takes laid-out batches. */
export interface EmoSllmTrainer extends Omit<Trainer, "accumulate"> {
  accumulate(batch: LaidOutBatch, first: boolean): Promise<MicroStep>;
}

/** Opens a trainer for projector and adapter; the parameters are zero until they are set. */
export async function openEmoSllmTrainer({
  parts,
  optimiser,
  outputs,
  ...options
}: EmoSllmTrainerOptions): Promise<EmoSllmTrainer> {
  const forms = new Map<string, BatchForm>();
  const trainer = await openTrainer({
    ...options,
    weights: parts.languageModel.weights,
    shapes: trainedShapes(parts),
    optimiser,
    graph: (kind) => {
      const graph = buildGraph(parts, forms.get(kind) as BatchForm);
      return {
        loss: weightedLoss(graph),
        parameters: graph.parameters,
        ...(outputs ? { outputs: outputs(graph) } : {}),
      };
    },
  });
  return {
    ...trainer,
    accumulate: (batch, first) => {
      const kind = formKey(batch.form);
      forms.set(kind, batch.form);
      return trainer.accumulate(kind, batch.feeds, first);
    },
  };
}
