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
  /** Tokens that are run: the prefix once, and every row's own. (The last of an answer predicts nothing, so it is not run.) */
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
  // The last token of an answer is predicted, and predicts nothing that is asked for: it stays out. (Vectors that stand nowhere need
  // one place of text to be said to stand at, see below; where there is no other, these tokens are run.)
  const ragged = counts.some((n) => n < most);
  const last = ragged && rows.every((r) => ownText(r, prefix) + longestAnswer(r) < 2) ? 0 : 1;
  const run = (a: readonly number[]): number => a.length - last;
  const lengths = rows.map(
    (r, i) => ownText(r, prefix) + (counts[i] as number) + r.answers.reduce((n, a) => n + run(a), 0),
  );
  const suffix = Math.max(...lengths);
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const slots = Math.max(...rows.map((r) => r.answers.reduce((n, a) => n + a.length, 0)));

  const own = { ids: i64Array(tokens), rows: i64Array(tokens), columns: i64Array(tokens) };
  const index = i64Array(tokens).fill(-1n);
  const inRectangle = {
    places: i64Array(rows.length * suffix),
    segments: i64Array(rows.length * suffix),
    positions: i64Array(rows.length * suffix),
    slots: i64Array(rows.length * slots),
  };
  const audioPlaces: number[] = Array.from({ length: rows.length * most }, () => -1);
  const label = { tokens: [] as number[], ids: [] as number[], rows: [] as number[], columns: [] as number[] };
  const labels: { row: number; answer: number }[] = [];

  let at = 0;
  rows.forEach((row, r) => {
    let position = prefix;
    let column = 0;
    let slot = 0;
    const put = (id: number, segment: number): void => {
      own.ids[at] = BigInt(id);
      own.rows[at] = BigInt(r);
      own.columns[at] = BigInt(column);
      const place = r * suffix + column++;
      inRectangle.places[place] = BigInt(at++);
      inRectangle.segments[place] = BigInt(segment);
      inRectangle.positions[place] = BigInt(position++);
    };
    const text = audio ? row.before : [...row.before, ...row.after];
    for (const id of text.slice(prefix)) put(id, 0);
    if (audio) {
      for (let q = 0; q < (counts[r] as number); q++) {
        audioPlaces[r * most + q] = at;
        index[at] = BigInt(r * most + q);
        put(0, 0);
      }
      for (const id of row.after) put(id, 0);
    }
    const [end, endPosition] = [at - 1, position];
    row.answers.forEach((answer, a) => {
      position = endPosition;
      let before = end;
      answer.forEach((id, i) => {
        // The token before predicts this one.
        inRectangle.slots[r * slots + slot] = BigInt(labels.length);
        label.tokens.push(prefix + before);
        label.ids.push(id);
        label.rows.push(r);
        label.columns.push(slot++);
        labels.push({ row: r, answer: a });
        before = at;
        if (i < run(answer)) put(id, a + 1);
      });
    });
  });
  // A row of fewer vectors than the longest has some that stand nowhere: a place of text, where no gradient comes from, is theirs.
  const idle = index.indexOf(-1n);
  audioPlaces.forEach((place, i) => {
    if (place < 0) audioPlaces[i] = idle;
  });
  const rectangle = (data: BigInt64Array): HostTensor =>
    hostTensor("i64", [rows.length, data.length / rows.length], data);
  return {
    form: { shared: prefix > 0, audio, branched },
    labels,
    tokens: prefix + tokens,
    feeds: {
      ...(audio ? audioFeeds(rows, audioSize, index, audioPlaces) : {}),
      ...(prefix > 0 ? { prefix_ids: i64((texts[0] as readonly number[]).slice(0, prefix)) } : {}),
      ids: vector(own.ids),
      token_places: rectangle(inRectangle.places),
      token_rows: vector(own.rows),
      token_columns: vector(own.columns),
      ...(branched ? { segments: rectangle(inRectangle.segments), positions: rectangle(inRectangle.positions) } : {}),
      label_tokens: i64(label.tokens),
      label_slots: rectangle(inRectangle.slots),
      label_rows: i64(label.rows),
      label_columns: i64(label.columns),
      label_ids: i64(label.ids),
      label_weights: hostTensor(
        "f32",
        [labels.length],
        Float32Array.from(labels, ({ row }) => (labelWeights ? labelWeights(row) : 1 / labels.length)),
      ),
    },
  };
}

const ownText = (r: BatchRow, prefix: number): number => r.before.length + r.after.length - prefix;
const longestAnswer = (r: BatchRow): number => Math.max(...r.answers.map((a) => a.length));
const i64Array = (n: number): BigInt64Array<ArrayBuffer> => new BigInt64Array(n);
const vector = (data: BigInt64Array): HostTensor => hostTensor("i64", [data.length], data);

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
  const framePlaces = i64Array(lengths.reduce((a, b) => a + b, 0));
  const owners = i64Array(rows.length * longest);
  let own = 0;
  lengths.forEach((n, r) => {
    for (let i = 0; i < n; i++, own++) {
      framePlaces[own] = BigInt(r * longest + i);
      owners[r * longest + i] = BigInt(own);
    }
  });
  return {
    audio_features: hostTensor("f32", [rows.length, longest, audioSize], features),
    audio_lengths: i64(lengths),
    frame_places: vector(framePlaces),
    frame_owners: vector(owners),
    audio_index: hostTensor("i64", [index.length], index),
    audio_places: i64(places),
  };
}
