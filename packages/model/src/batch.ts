/** @file Rows of token ids and audio frames -> the arrays a program is fed: finds the shared prefix, lays out the rest, pads. */
import { type HostTensor, hostTensor, i64 } from "@emosllm/runtime";
import type { Projector } from "@emosllm/projector";
import type { BatchForm } from "./step-inputs.ts";

/** Frames of one clip. */
export interface Frames {
  /** f32 `[length, audioSize]`, row-major */
  readonly data: Float32Array;
  readonly length: number;
}

/** One row: ids before the audio, ids after it, and the answer's ids: one answer to train on, several to score. */
export interface BatchRow {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly answers: readonly (readonly number[])[];
  /** undefined: a row without audio, in a batch where no row has any */
  readonly frames: Frames | undefined;
}

/** Options of {@link layOutBatch}. */
export interface BatchOptions {
  /** Vectors that so many frames become: {@link Projector.vectors}. */
  readonly vectors: Projector["vectors"];
  readonly audioSize: number;
  /** Run what all rows share once (default); else each row holds its whole text. */
  readonly sharedPrefix?: boolean;
  /** Loss weight of each label token, by row; 1 / all label tokens of the batch when not given. */
  readonly labelWeights?: ((row: number) => number) | undefined;
}

/** A batch ready to be fed to the program of its form. */
export interface LaidOutBatch {
  readonly form: BatchForm;
  readonly feeds: Readonly<Record<string, HostTensor>>;
  /** Row and answer of each label token, in the order of the outputs. */
  readonly labels: readonly { readonly row: number; readonly answer: number }[];
  /** Tokens that are run: the prefix once, and every row's suffix with its padding. */
  readonly tokens: number;
}

/** Length of the longest common beginning of all rows. */
export function commonPrefix(rows: readonly (readonly number[])[]): number {
  const first = rows[0] ?? [];
  let n = Math.min(...rows.map((r) => r.length));
  for (const r of rows) for (let i = 0; i < n; i++) if (r[i] !== first[i]) n = i;
  return n;
}

/** Lays rows out. Throws RangeError for an empty batch, a row without answers, or frames that do not fit. */
export function layOutBatch(rows: readonly BatchRow[], options: BatchOptions): LaidOutBatch {
  const { vectors, audioSize, sharedPrefix = true, labelWeights } = options;
  rows.forEach((row, r) => checkRow(row, r, audioSize, rows[0]?.frames !== undefined));
  if (rows.length === 0) throw new RangeError("layOutBatch: no rows");
  const audio = rows[0]?.frames !== undefined;
  const branched = rows.some((r) => r.answers.length > 1);
  // A prefix that is a row's whole text would leave no token of its own to predict from.
  const longest = audio ? Infinity : Math.min(...rows.map((r) => r.before.length + r.after.length)) - 1;
  const texts = audio ? rows.map((r) => r.before) : rows.map((r) => [...r.before, ...r.after]);
  const prefix = sharedPrefix ? Math.min(commonPrefix(texts), Math.max(0, longest)) : 0;
  const counts = rows.map((r) => (r.frames ? Number(vectors(r.frames.length)) : 0));
  const most = Math.max(...counts);
  const lengths = rows.map(
    (r, i) =>
      r.before.length + r.after.length - prefix + (counts[i] as number) + r.answers.reduce((n, a) => n + a.length, 0),
  );
  const suffix = Math.max(...lengths);

  const ids = new BigInt64Array(rows.length * suffix);
  const index = new BigInt64Array(rows.length * suffix).fill(-1n);
  const segments = new BigInt64Array(rows.length * suffix);
  const positions = new BigInt64Array(rows.length * suffix);
  const audioPlaces: number[] = [];
  const labelPlaces: number[] = [];
  const labelIds: number[] = [];
  const labels: { row: number; answer: number }[] = [];

  rows.forEach((row, r) => {
    let at = r * suffix;
    let position = prefix;
    const put = (id: number, segment: number): void => {
      ids[at] = BigInt(id);
      segments[at] = BigInt(segment);
      positions[at++] = BigInt(position++);
    };
    const text = audio ? row.before : [...row.before, ...row.after];
    for (const id of text.slice(prefix)) put(id, 0);
    if (audio) {
      for (let q = 0; q < (counts[r] as number); q++) {
        audioPlaces.push(at);
        index[at] = BigInt(r * most + q);
        put(0, 0);
      }
      for (const id of row.after) put(id, 0);
    }
    const [end, endPosition] = [at - 1, position];
    row.answers.forEach((answer, a) => {
      position = endPosition;
      let before = end;
      for (const id of answer) {
        // The token before predicts this one.
        labelPlaces.push(prefix + before);
        labelIds.push(id);
        labels.push({ row: r, answer: a });
        before = at;
        put(id, a + 1);
      }
    });
    // A row of fewer vectors than the longest has some that stand nowhere: a place of text, where no gradient comes from, is theirs.
    if (audio) for (let q = counts[r] as number; q < most; q++) audioPlaces.push(at - 1);
  });
  return {
    form: { shared: prefix > 0, audio, branched },
    labels,
    tokens: prefix + rows.length * suffix,
    feeds: {
      ...(audio ? audioFeeds(rows, audioSize, index, audioPlaces) : {}),
      ...(prefix > 0 ? { prefix_ids: i64((texts[0] as readonly number[]).slice(0, prefix)) } : {}),
      suffix_ids: hostTensor("i64", [rows.length, suffix], ids),
      ...(branched
        ? {
            segments: hostTensor("i64", [rows.length, suffix], segments),
            positions: hostTensor("i64", [rows.length, suffix], positions),
          }
        : {}),
      label_places: i64(labelPlaces),
      label_ids: i64(labelIds),
      label_weights: hostTensor(
        "f32",
        [labels.length],
        Float32Array.from(labels, ({ row }) => (labelWeights ? labelWeights(row) : 1 / labels.length)),
      ),
    },
  };
}

function checkRow(row: BatchRow, r: number, audioSize: number, audio: boolean): void {
  if (row.answers.length === 0 || row.answers.some((a) => a.length === 0))
    throw new RangeError(`layOutBatch: row ${r} has no answer, or an empty one`);
  if ((row.frames !== undefined) !== audio)
    throw new RangeError(`layOutBatch: row ${r} ${audio ? "has no audio" : "has audio"}, unlike row 0`);
  if (!audio && row.before.length + row.after.length === 0)
    throw new RangeError(`layOutBatch: row ${r} has neither audio nor text`);
  const { frames } = row;
  if (frames && (frames.length === 0 || frames.data.length !== frames.length * audioSize))
    throw new RangeError(
      `layOutBatch: row ${r} has ${frames.data.length} values for ${frames.length} frames of ${audioSize}`,
    );
}

function audioFeeds(
  rows: readonly BatchRow[],
  audioSize: number,
  index: BigInt64Array,
  places: readonly number[],
): Record<string, HostTensor> {
  const lengths = rows.map((r) => (r.frames as Frames).length);
  const longest = Math.max(...lengths);
  const features = new Float32Array(rows.length * longest * audioSize);
  rows.forEach((r, i) => features.set((r.frames as Frames).data, i * longest * audioSize));
  return {
    audio_features: hostTensor("f32", [rows.length, longest, audioSize], features),
    audio_lengths: i64(lengths),
    audio_index: hostTensor("i64", [index.length], index),
    audio_places: i64(places),
  };
}
