/**
 * @file The shortest edit path between two sequences of tokens. Several paths can be shortest, with different splits into
 * substitutions, deletions and insertions; this one takes the choices of RapidFuzz (which jiwer counts with), so the counts agree.
 */

/** One step: keep or replace a token, drop one of the reference, add one of the hypothesis. */
export type EditType = "equal" | "substitute" | "delete" | "insert";

/** A step with the positions it stands at: `reference` and `hypothesis` count tokens before it. */
export interface EditStep {
  readonly type: EditType;
  readonly reference: number;
  readonly hypothesis: number;
}

/** Above this many cells the path is found in halves (Hirschberg 1975), in linear memory. */
const MAX_CELLS = 1 << 25;

/** The edit path from `reference` to `hypothesis`. Time is the product of the lengths. */
export function editPath(reference: readonly string[], hypothesis: readonly string[]): EditStep[] {
  const ids = new Map<string, number>();
  const encode = (tokens: readonly string[]): Int32Array =>
    Int32Array.from(tokens, (t) => {
      const known = ids.get(t);
      if (known !== undefined) return known;
      ids.set(t, ids.size);
      return ids.size - 1;
    });
  const steps: EditStep[] = [];
  align(encode(reference), encode(hypothesis), 0, 0, steps);
  return steps;
}

function align(a: Int32Array, b: Int32Array, aStart: number, bStart: number, steps: EditStep[]): void {
  let prefix = 0;
  while (prefix < a.length && prefix < b.length && a[prefix] === b[prefix]) prefix++;
  let suffix = 0;
  while (suffix < Math.min(a.length, b.length) - prefix && a[a.length - 1 - suffix] === b[b.length - 1 - suffix])
    suffix++;
  for (let i = 0; i < prefix; i++) steps.push({ type: "equal", reference: aStart + i, hypothesis: bStart + i });
  const x = a.subarray(prefix, a.length - suffix);
  const y = b.subarray(prefix, b.length - suffix);
  if ((x.length + 1) * (y.length + 1) > MAX_CELLS && x.length > 1)
    halves(x, y, aStart + prefix, bStart + prefix, steps);
  else for (const step of traced(x, y, aStart + prefix, bStart + prefix)) steps.push(step);
  for (let i = suffix; i > 0; i--)
    steps.push({ type: "equal", reference: aStart + a.length - i, hypothesis: bStart + b.length - i });
}

const DOWN = 1; // one more reference token costs one more edit here
const UP = 2; // one more reference token saves an edit here

/** Full table (two bits per cell), then back from the end: deletion first, then insertion, then the diagonal. */
function traced(a: Int32Array, b: Int32Array, aStart: number, bStart: number): EditStep[] {
  const width = a.length + 1;
  const marks = new Uint8Array(width * (b.length + 1));
  let row = Int32Array.from({ length: width }, (_, i) => i);
  let next = new Int32Array(width);
  marks.fill(DOWN, 1, width);
  for (let j = 1; j <= b.length; j++) {
    next[0] = j;
    for (let i = 1; i < width; i++) {
      const diagonal = row[i - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const cost = Math.min(diagonal, row[i]! + 1, next[i - 1]! + 1);
      next[i] = cost;
      const change = cost - next[i - 1]!;
      marks[j * width + i] = change === 1 ? DOWN : change === -1 ? UP : 0;
    }
    [row, next] = [next, row];
  }
  const steps: EditStep[] = [];
  let i = a.length;
  let j = b.length;
  const push = (type: EditType): void => {
    steps.push({ type, reference: aStart + i, hypothesis: bStart + j });
  };
  while (i > 0 && j > 0) {
    if (marks[j * width + i] === DOWN) {
      i--;
      push("delete");
      continue;
    }
    j--;
    if (j > 0 && marks[j * width + i] === UP) push("insert");
    else {
      i--;
      push(a[i] === b[j] ? "equal" : "substitute");
    }
  }
  while (i > 0) {
    i--;
    push("delete");
  }
  while (j > 0) {
    j--;
    push("insert");
  }
  return steps.toReversed();
}

function halves(a: Int32Array, b: Int32Array, aStart: number, bStart: number, steps: EditStep[]): void {
  const middle = a.length >> 1;
  const head = lastRow(a.subarray(0, middle), b);
  const tail = lastRow(a.subarray(middle).toReversed(), b.toReversed());
  let cut = 0;
  for (let j = 1; j <= b.length; j++) if (head[j]! + tail[b.length - j]! < head[cut]! + tail[b.length - cut]!) cut = j;
  align(a.subarray(0, middle), b.subarray(0, cut), aStart, bStart, steps);
  align(a.subarray(middle), b.subarray(cut), aStart + middle, bStart + cut, steps);
}

/** Edit distance of all of `a` to every prefix of `b`. `[b.length + 1]` */
function lastRow(a: Int32Array, b: Int32Array): Int32Array {
  const row = Int32Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = Math.min(diagonal + (a[i - 1] === b[j - 1] ? 0 : 1), row[j]! + 1, row[j - 1]! + 1);
      diagonal = row[j]!;
      row[j] = cost;
    }
  }
  return row;
}
