/** @file What goes over a realtime socket: JSON both ways, sound as binary frames. */
import { z } from "zod";
import { labelScoreSchema, segmentSchema } from "../schemas.ts";

/** PCM, mono, little endian: 16-bit integers, or 32-bit floats of full scale ±1. */
export const PCM_ENCODINGS = ["pcm_s16le", "pcm_f32le"] as const;

/** The first message, and the last. */
export const clientMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("start"),
    model: z.string().min(1).max(200).optional(),
    /** Hz */
    sample_rate: z.number().int().min(8000).max(48_000).default(16_000),
    encoding: z.enum(PCM_ENCODINGS).default("pcm_s16le"),
    /** Seconds of speech that are judged at a time, and from one window to the next. */
    window: z.number().min(0.5).max(10).default(2),
    hop: z.number().min(0.25).max(10).default(0.5),
    /** A session whose socket broke, and the number of the last message that arrived of it. */
    resume: z.strictObject({ session: z.uuid(), last: z.number().int().min(0) }).optional(),
  }),
  z.strictObject({ type: z.literal("stop") }),
]);
/** See {@link clientMessageSchema}. */
export type ClientMessage = z.output<typeof clientMessageSchema>;
/** The first message. */
export type StartMessage = Extract<ClientMessage, { type: "start" }>;

const numbered = { seq: z.number().int().meta({ description: "Number of the message, from 1." }) };

/** Everything the server says. */
export const serverMessageSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("started"),
    session: z.string(),
    model: z.string(),
    labels: z.array(z.string()),
    /** After a resume: send on from here. */
    received_samples: z.number().int(),
  }),
  /** The emotion of the latest window of speech. */
  z.object({
    ...numbered,
    type: z.literal("window"),
    start: z.number(),
    end: z.number(),
    label: z.string().nullable(),
    emotions: z.array(labelScoreSchema),
  }),
  /** A stretch of speech that will not change any more. */
  segmentSchema.extend({ ...numbered, type: z.literal("segment") }),
  /** Windows that were left out because the server was busy. */
  z.object({ ...numbered, type: z.literal("skipped"), start: z.number(), end: z.number(), code: z.string() }),
  z.object({ ...numbered, type: z.literal("done"), audio_seconds: z.number() }),
  z.object({
    type: z.literal("error"),
    error: z.object({ code: z.string(), message: z.string(), request_id: z.string() }),
  }),
]);
/** See {@link serverMessageSchema}. */
export type ServerMessage = z.output<typeof serverMessageSchema>;
