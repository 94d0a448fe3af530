/** @file A label scheme: which labels a task has, and how a corpus' raw codes map onto them. */
import { z } from "zod";

/** An ordered list of label names with the raw codes that count as each; a raw code in no list is left out of the task. */
export const emotionSchemeSchema = z.object({
  name: z.string().min(1),
  labels: z.array(z.string().min(1)).min(1),
  /** raw code -> label name */
  mapping: z.record(z.string(), z.string()),
  /** The attribute of the utterance that holds the raw code, when it is not its `label` (MELD's sentiment). */
  attribute: z.string().min(1).optional(),
});
/** See {@link emotionSchemeSchema}. */
export type EmotionScheme = z.infer<typeof emotionSchemeSchema>;
