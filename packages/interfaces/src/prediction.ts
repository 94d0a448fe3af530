/** @file What a model says about one utterance, as one line of `predictions.jsonl`. */
import { z } from "zod";
import { softLabelSchema } from "./utterance.ts";

/** One line of `predictions.jsonl`; extra keys pass through (speaker, gender, session, ...), for slices. */
export const predictionSchema = z.looseObject({
  id: z.string(),
  /** The true label, when known. */
  label: z.string().optional(),
  /** The answer; `null` when the answer was not one of the labels. */
  prediction: z.string().nullable().optional(),
  probabilities: softLabelSchema.optional(),
  soft_label: softLabelSchema.optional(),
  /** Transcription. */
  reference: z.string().optional(),
  hypothesis: z.string().optional(),
  speaker: z.string().optional(),
});
/** See {@link predictionSchema}. */
export type Prediction = z.infer<typeof predictionSchema>;
