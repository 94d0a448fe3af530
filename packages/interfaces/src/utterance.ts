/** @file One spoken turn and where its sound lies: what every corpus loader gives and everything else takes. */
import { z } from "zod";

/** Which channel of a multichannel file is speech: one by index, the mean of all, or the centre of a 5.1 file (`centre` of a file without one is the mean). */
export const channelChoiceSchema = z.union([z.number().int().min(0), z.literal("downmix"), z.literal("centre")]);
/** See {@link channelChoiceSchema}. */
export type ChannelChoice = z.infer<typeof channelChoiceSchema>;

/** A reference to sound: nothing is read until somebody asks. `start` and `end` are seconds into the file. */
export const audioClipSchema = z.object({
  /** A file on disk. */
  path: z.string().min(1),
  /** Bytes inside a container that stores them as they are (a tar member): offset and length in `path`. */
  byteOffset: z.number().int().min(0).optional(),
  byteLength: z.number().int().min(0).optional(),
  /** What `path` is when it is not a sound file itself; `readClipBytes` of `@emosllm/datasets` reads all of them. */
  container: z.enum(["tar", "tar.gz", "parquet"]).optional(),
  /** Where in the container: a member's path, or `column[row]`. */
  member: z.string().min(1).optional(),
  /** Seconds, as the corpus says; not measured. */
  duration: z.number().min(0).optional(),
  start: z.number().min(0).optional(),
  end: z.number().min(0).optional(),
  channel: channelChoiceSchema.optional(),
});
/** See {@link audioClipSchema}. */
export type AudioClip = z.infer<typeof audioClipSchema>;

/** Share of raters (or of probability) by label name; sums to 1. */
export const softLabelSchema = z.record(z.string(), z.number().min(0).max(1));
/** See {@link softLabelSchema}. */
export type SoftLabel = z.infer<typeof softLabelSchema>;

/** `male`, `female`, or what the corpus says otherwise. */
export const genderSchema = z.enum(["male", "female", "other", "unknown"]);
/** See {@link genderSchema}. */
export type Gender = z.infer<typeof genderSchema>;

/** One spoken turn. Labels are names, never indices; a missing field is unknown, never guessed. */
export const utteranceSchema = z.object({
  id: z.string().min(1),
  corpus: z.string().min(1),
  audio: audioClipSchema,
  text: z.string().optional(),
  dialogue: z.string().optional(),
  turn: z.number().int().optional(),
  /** Who really speaks, e.g. `01M` for IEMOCAP session 1's man. */
  speaker: z.string().optional(),
  gender: genderSchema.optional(),
  session: z.string().optional(),
  label: z.string().optional(),
  softLabel: softLabelSchema.optional(),
  valence: z.number().optional(),
  activation: z.number().optional(),
  dominance: z.number().optional(),
  /** BCP 47, e.g. `en`. */
  language: z.string().optional(),
  /** The corpus' own part (`train`, `dev`, `test`), where it has one. */
  split: z.string().optional(),
  /** Whatever else the corpus says, by name: intensity, statement, season, ... */
  attributes: z.record(z.string(), z.string()).optional(),
});
/** See {@link utteranceSchema}. */
export type Utterance = z.infer<typeof utteranceSchema>;

/** Something wrong or odd in a corpus, reported instead of hidden. */
export const corpusProblemSchema = z.object({
  code: z.string(),
  id: z.string().optional(),
  path: z.string().optional(),
  line: z.number().int().optional(),
  message: z.string(),
});
/** See {@link corpusProblemSchema}. */
export type CorpusProblem = z.infer<typeof corpusProblemSchema>;
