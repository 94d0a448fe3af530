/** @file What a cached feature is found by: the sound itself, and everything that its numbers depend on besides. */
import { createHash } from "node:crypto";
import { EmosllmError } from "@emosllm/interfaces";

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** What determines a feature's numbers besides the sound. */
export interface FeatureIdentity {
  /** E.g. `egemaps-lld`. */
  readonly kind: string;
  readonly settings?: { readonly [key: string]: Json | undefined };
  /** Hash of the encoder's weights and configuration, for features of a model. */
  readonly model?: string;
  /** The times of the frames differ from clip to clip (features of whole clips), so they are kept with each. */
  readonly perClipTimes?: boolean;
}

/** Raised when stored bytes change their meaning. */
const FORMAT = 1;

/** JSON with sorted keys and without undefined fields, so that equal values give equal text. */
export function canonicalJson(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "number" && !Number.isFinite(value))
    throw new EmosllmError("usage", `${value} in feature settings cannot be kept as JSON`);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value as Record<string, Json | undefined>).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
}

/** The folder of one feature in a cache: its kind, and 12 digits of the hash of kind, settings, model and format. */
export function featureFolder({ kind, settings = {}, model = "" }: FeatureIdentity): string {
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(kind))
    throw new EmosllmError("usage", `feature kind '${kind}' is not made of a-z, 0-9, '.' and '-'`);
  const text = canonicalJson({ format: FORMAT, kind, model, settings });
  return `${kind}-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}

/** The key of a clip: SHA-256 (hex) over the sample rate and the samples as little-endian float32, one channel. */
export function audioKey(samples: Float32Array, sampleRate: number): string {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  return createHash("sha256").update(`f32le ${sampleRate}\n`).update(bytes).digest("hex");
}
