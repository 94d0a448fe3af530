/** @file Rows of token ids and audio frames -> the arrays a program is fed: finds the shared prefix, lays out the rest, pads. */
import { type HostTensor, hostTensor, i64 } from "@emosllm/runtime";

/** One row: ids before the audio, ids after it, ids of the answer. */
export interface BatchRow {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly labels: readonly number[];
  /** f32 `[frames, audioSize]` */
  readonly frames: { readonly data: Float32Array; readonly length: number };
}

/** Options of {@link layOutBatch}. */
export interface BatchOptions {
  readonly queries: number;
  readonly audioSize: number;
  /** Run what all rows share once; without it each row holds its whole text. */
  readonly sharedPrefix: boolean;
  /** Loss weight of each label token, by row; 1 / all label tokens when not given. */
  readonly labelWeights?: (row: number) => number;
}

/** A batch ready to be fed. `prefix` tells which program takes it: with or without a shared prefix. */
export interface LaidOutBatch {
  readonly feeds: Readonly<Record<string, HostTensor>>;
  readonly prefix: number;
  readonly suffix: number;
  readonly labels: number;
}

/** Length of the longest common beginning of all rows. */
export function commonPrefix(rows: readonly (readonly number[])[]): number {
  const first = rows[0] ?? [];
  let n = Math.min(...rows.map((r) => r.length));
  for (const r of rows) for (let i = 0; i < n; i++) if (r[i] !== first[i]) n = i;
  return n;
}

/** Lays rows out. Throws RangeError for an empty batch, a row without labels or frames, or frames of another width. */
export function layOutBatch(
  rows: readonly BatchRow[],
  { queries, audioSize, sharedPrefix, labelWeights }: BatchOptions,
): LaidOutBatch {
  if (rows.length === 0) throw new RangeError("layOutBatch: no rows");
  const prefix = sharedPrefix ? commonPrefix(rows.map((r) => r.before)) : 0;
  const lengths = rows.map((r) => r.before.length - prefix + queries + r.after.length + r.labels.length);
  const suffix = Math.max(...lengths);
  const frames = Math.max(...rows.map((r) => r.frames.length));
  const features = new Float32Array(rows.length * frames * audioSize);
  const suffixIds = Array.from({ length: rows.length * suffix }, () => 0);
  const audioIndex = Array.from({ length: rows.length * suffix }, () => -1);
  const audioPlaces: number[] = [];
  const labelPlaces: number[] = [];
  const labelIds: number[] = [];
  const weights: number[] = [];
  const total = rows.reduce((n, r) => n + r.labels.length, 0);

  rows.forEach((row, r) => {
    if (row.labels.length === 0) throw new RangeError(`layOutBatch: row ${r} has no labels`);
    if (row.frames.length === 0 || row.frames.data.length !== row.frames.length * audioSize)
      throw new RangeError(
        `layOutBatch: row ${r} has ${row.frames.data.length} values for ${row.frames.length} frames of ${audioSize}`,
      );
    features.set(row.frames.data, r * frames * audioSize);
    let at = r * suffix;
    for (const id of row.before.slice(prefix)) suffixIds[at++] = id;
    for (let q = 0; q < queries; q++) {
      audioPlaces.push(at);
      audioIndex[at++] = r * queries + q;
    }
    for (const id of row.after) suffixIds[at++] = id;
    for (const id of row.labels) {
      // The token before predicts this one.
      labelPlaces.push(prefix + at - 1);
      labelIds.push(id);
      weights.push(labelWeights ? labelWeights(r) : 1 / total);
      suffixIds[at++] = id;
    }
  });
  return {
    prefix,
    suffix,
    labels: total,
    feeds: {
      audio_features: hostTensor("f32", [rows.length, frames, audioSize], features),
      audio_lengths: i64(rows.map((r) => r.frames.length)),
      ...(prefix > 0 ? { prefix_ids: i64((rows[0] as BatchRow).before.slice(0, prefix)) } : {}),
      suffix_ids: i64(suffixIds, [rows.length, suffix]),
      audio_index: i64(audioIndex),
      audio_places: i64(audioPlaces),
      label_places: i64(labelPlaces),
      label_ids: i64(labelIds),
      label_weights: hostTensor("f32", [total], Float32Array.from(weights)),
    },
  };
}
