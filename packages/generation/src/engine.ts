/** @file One program of a language model over a cache: runs shared prompts, prompts, answers to be scored, and single tokens. */
import { type CachedGraphOptions, type LanguageModel, cachedGraph, ropeSwitch } from "@emosllm/backbones";
import { type CompileOptions, type HostTensor, compile } from "@emosllm/runtime";
import { type CacheShape, type KvCache, addTokens, emptyCache, repeatCache, stackCaches } from "./cache.ts";
import { type Label, type Parameters, type RowInputs, passesOver } from "./pass.ts";
import type { Token } from "./tokens.ts";

/** A shared beginning: the first `length` tokens of the only row of `cache`. */
export interface SharedPrompt {
  readonly cache: KvCache;
  readonly length: number;
}

/** Prompts that were run, ready for the next token. */
export interface Prefilled {
  readonly cache: KvCache;
  /** Of the next token, `[vocabSize]` for each row. */
  readonly logits: readonly Float32Array[];
}

/** Answers to score after one prompt. */
export interface ScoredRow {
  readonly prompt: readonly Token[];
  readonly answers: readonly (readonly number[])[];
}

/** What a pass is fed beside its tokens. */
export interface PassOptions {
  readonly parameters?: Parameters;
  /** Inputs that the graph has for each token (`[tokens]`), given by row; a shared beginning was run with the same ones. */
  readonly rowInputs?: RowInputs;
}

/** A language model that remembers. Dispose it. */
export interface Engine {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Runs prompts; where `shared` is given, they begin with it and only the rest is run. Room is made for `slots` tokens a row. */
  prefill(
    prompts: readonly (readonly Token[])[],
    options?: PassOptions & { readonly shared?: SharedPrompt | undefined; readonly slots?: number },
  ): Promise<Prefilled>;
  /** Runs one token of each row and adds it to the cache; gives the next token's logits. */
  decode(cache: KvCache, tokens: readonly Token[], options?: PassOptions): Promise<readonly Float32Array[]>;
  /** Log-likelihood of each token of each answer, by row. All answers of a row go in one pass; none sees another. */
  score(
    rows: readonly ScoredRow[],
    options?: PassOptions & { readonly shared?: SharedPrompt | undefined },
  ): Promise<number[][][]>;
  /** Where a row of that many tokens needs its prompt run anew, because all its positions turn otherwise from here (longrope). */
  readonly switchesAt: number | undefined;
  dispose(): Promise<void>;
}

/** Options of {@link openEngine}. */
export type EngineOptions = CachedGraphOptions &
  Omit<CompileOptions, "weights"> &
  Partial<Pick<CompileOptions, "weights">>;

/** Tokens of a long prompt that are run at once: attention's scores take `heads * chunk * (chunk + past)` numbers. */
const CHUNK = 512;
/** Tokens of a batch of prompts, padding included. */
const BATCH_TOKENS = 2048;

/** Opens the program. Throws EmosllmError as `compile` does. */
export async function openEngine(model: LanguageModel, { linear, ...options }: EngineOptions = {}): Promise<Engine> {
  const { layers, keyValueHeads, headDim, vocabSize, hiddenSize } = model.config;
  const program = await compile(cachedGraph(model, linear ? { linear } : {}), {
    ...options,
    weights: options.weights ?? model.weights,
  });
  const shape: CacheShape = { layers, heads: keyValueHeads, headDim };
  const original = ropeSwitch(model.config);
  const pass = passesOver(program, shape, hiddenSize);

  async function prefillBatch(
    prompts: readonly (readonly Token[])[],
    shared: SharedPrompt | undefined,
    parameters: Parameters,
    rowInputs: RowInputs,
    slots: number,
  ): Promise<Prefilled> {
    const from = shared?.length ?? 0;
    const lengths = prompts.map((p) => p.length);
    const longest = Math.max(...lengths);
    const cache = shared
      ? repeatCache(shared.cache, prompts.length, from, Math.max(slots, longest))
      : emptyCache(shape, prompts.length, Math.max(slots, longest));
    let at = from;
    for (;;) {
      const end = prompts.length === 1 ? Math.min(longest, at + CHUNK) : longest;
      const rows = prompts.map((p) => p.slice(at, end));
      const first = at === from;
      const given = await pass({
        ...(first && shared
          ? { past: shared.cache, visible: from, groups: 1 }
          : { past: first ? undefined : cache, groups: rows.length }),
        start: rows.map(() => at),
        reach: lengths.map((n) => n - 1),
        rows,
        labels: rows.map((row, r) => ({ row: r, at: row.length - 1, id: 0 })),
        parameters,
        rowInputs,
        outputs: ["logits", "cache"],
      });
      const counts = rows.map((r) => r.length);
      addTokens(cache, first && shared ? regrouped(given, rows.length, shape) : given, Math.max(...counts), counts);
      at = end;
      if (at >= longest) return { cache, logits: rowsOf(given["logits"] as HostTensor) };
    }
  }

  return {
    vocabSize,
    hiddenSize,
    switchesAt: original === undefined ? undefined : original + 1,
    async prefill(prompts, { shared, parameters = {}, rowInputs = {}, slots = 0 } = {}) {
      checkPrompts(prompts, shared, hiddenSize);
      const usable = usableShared(prompts, shared, original);
      const from = usable?.length ?? 0;
      const parts: Prefilled[] = [];
      for (const batch of batches(prompts.map((p) => p.length - from)))
        parts.push(
          await prefillBatch(
            batch.map((i) => prompts[i] as readonly Token[]),
            usable,
            parameters,
            ofRows(rowInputs, batch),
            slots,
          ),
        );
      return {
        cache: stackCaches(
          parts.map((p) => p.cache),
          slots,
        ),
        logits: parts.flatMap((p) => p.logits),
      };
    },
    async decode(cache, tokens, { parameters = {}, rowInputs = {} } = {}) {
      const given = await pass({
        past: cache,
        groups: tokens.length,
        start: cache.lengths,
        reach: cache.lengths,
        rows: tokens.map((t) => [t]),
        labels: tokens.map((_, row) => ({ row, at: 0, id: 0 })),
        parameters,
        rowInputs,
        outputs: ["logits", "cache"],
      });
      addTokens(
        cache,
        given,
        1,
        tokens.map(() => 1),
      );
      return rowsOf(given["logits"] as HostTensor);
    },
    async score(rows, { shared, parameters = {}, rowInputs = {} } = {}) {
      const prompts = rows.map((r) => r.prompt);
      checkPrompts(prompts, shared, hiddenSize);
      rows.forEach((row, r) => {
        if (row.answers.length === 0 || row.answers.some((a) => a.length === 0))
          throw new RangeError(`row ${r} has no answer to score, or an empty one`);
      });
      const jobs = scoringJobs(rows, original);
      const usable = usableShared(
        jobs.map(({ row }) => [...row.prompt, ...longestAnswer(row)]),
        shared,
        original,
      );
      const results: number[][][] = rows.map((r) => r.answers.map(() => []));
      const from = usable?.length ?? 0;
      const sizes = jobs.map(({ row }) => row.prompt.length - from + row.answers.reduce((n, a) => n + a.length, 0));
      for (const batch of batches(sizes)) {
        const some = batch.map((i) => jobs[i] as ScoringJob);
        const scored = await scoreBatch(
          some.map((j) => j.row),
          usable,
          parameters,
          ofRows(
            rowInputs,
            some.map((j) => j.at),
          ),
        );
        some.forEach(({ at, first }, k) =>
          scored[k]?.forEach((scores, a) => ((results[at] as number[][])[first + a] = scores)),
        );
      }
      return results;
    },
    dispose: () => program.dispose(),
  };

  async function scoreBatch(
    rows: readonly ScoredRow[],
    shared: SharedPrompt | undefined,
    parameters: Parameters,
    rowInputs: RowInputs,
  ): Promise<number[][][]> {
    const from = shared?.length ?? 0;
    const labels: Label[] = [];
    const places: [row: number, answer: number][] = [];
    const branches = rows.map(({ prompt, answers }, row) => {
      const own = prompt.slice(from);
      const tokens: Token[] = [...own];
      const segments = own.map(() => 0);
      const positions = own.map((_, i) => from + i);
      answers.forEach((answer, a) => {
        answer.forEach((id, i) => {
          labels.push({ row, at: i === 0 ? own.length - 1 : tokens.length - 1, id });
          places.push([row, a]);
          tokens.push(id);
          segments.push(a + 1);
          positions.push(from + own.length + i);
        });
      });
      return { tokens, segments, positions };
    });
    const given = await pass({
      ...(shared ? { past: shared.cache, visible: from, groups: 1 } : { past: undefined, groups: rows.length }),
      start: rows.map(() => from),
      reach: rows.map((r) => r.prompt.length + longestAnswer(r).length - 1),
      rows: branches.map((b) => b.tokens),
      segments: branches.map((b) => b.segments),
      positions: branches.map((b) => b.positions),
      labels,
      parameters,
      rowInputs,
      outputs: ["scores"],
    });
    const results: number[][][] = rows.map((r) => r.answers.map(() => []));
    const scores = given["scores"]?.data as Float32Array;
    places.forEach(([row, answer], i) => results[row]?.[answer]?.push(scores[i] as number));
    return results;
  }
}

const ofRows = (inputs: RowInputs, rows: readonly number[]): RowInputs =>
  Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, rows.map((r) => values[r] as number)]));

/** Answers of the row `at`, from answer `first` on, that go in one pass. */
interface ScoringJob {
  readonly at: number;
  readonly first: number;
  readonly row: ScoredRow;
}

/** A row's answers go together, but where some of them make the text so long that its positions turn otherwise. */
const scoringJobs = (rows: readonly ScoredRow[], original: number | undefined): ScoringJob[] =>
  rows.flatMap((row, at): ScoringJob[] => {
    const switches = (answer: readonly number[]): boolean => row.prompt.length + answer.length > (original ?? Infinity);
    if (row.answers.every((a) => switches(a) === switches(row.answers[0] as readonly number[])))
      return [{ at, first: 0, row }];
    return row.answers.map((answer, first) => ({ at, first, row: { prompt: row.prompt, answers: [answer] } }));
  });

const longestAnswer = ({ answers }: ScoredRow): readonly number[] =>
  answers.reduce((a, b) => (b.length > a.length ? b : a), []);

function checkPrompts(
  prompts: readonly (readonly Token[])[],
  shared: SharedPrompt | undefined,
  hiddenSize: number,
): void {
  if (prompts.length === 0) throw new RangeError("there are no prompts");
  prompts.forEach((prompt, r) => {
    if (prompt.length <= (shared?.length ?? 0))
      throw new RangeError(
        `prompt ${r} has ${prompt.length} tokens; at least one is needed after ${shared?.length ?? 0} shared ones`,
      );
    const wrong = prompt.find((t) => typeof t !== "number" && t.length !== hiddenSize);
    if (wrong)
      throw new RangeError(
        `prompt ${r} has a vector of ${(wrong as Float32Array).length} numbers; the model's width is ${hiddenSize}`,
      );
  });
}

/** Keys of a beginning are of no use to a text so long that all its positions turn otherwise. */
const usableShared = (
  prompts: readonly (readonly Token[])[],
  shared: SharedPrompt | undefined,
  original: number | undefined,
): SharedPrompt | undefined =>
  shared && shared.length > 0 && (original === undefined || prompts.every((p) => p.length <= original))
    ? shared
    : undefined;

/** Rows that are run together, in order. */
function batches(lengths: readonly number[]): number[][] {
  const list: number[][] = [];
  let longest = 0;
  lengths.forEach((length, i) => {
    const last = list.at(-1);
    longest = Math.max(longest, length);
    if (last && length <= CHUNK && longest <= CHUNK && (last.length + 1) * longest <= BATCH_TOKENS) last.push(i);
    else {
      list.push([i]);
      longest = length;
    }
  });
  return list;
}

/** `[labels, vocabSize]` by label. */
function rowsOf({ data, shape }: HostTensor): Float32Array[] {
  const [rows, width] = shape as [number, number];
  return Array.from({ length: rows }, (_, r) => (data as Float32Array).subarray(r * width, (r + 1) * width));
}

/** Of one group, `[1, heads, rows, suffix, headDim]`, to `[rows, heads, 1, suffix, headDim]`. */
function regrouped(
  given: Readonly<Record<string, HostTensor>>,
  rows: number,
  { heads }: CacheShape,
): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(given).map(([name, t]) => {
      if (!/^(key|value)\./.test(name)) return [name, t];
      const from = t.data as Float32Array;
      const block = from.length / (rows * heads);
      const to = new Float32Array(from.length);
      for (let h = 0; h < heads; h++)
        for (let r = 0; r < rows; r++)
          to.set(from.subarray((h * rows + r) * block, (h * rows + r + 1) * block), (r * heads + h) * block);
      return [name, { ...t, data: to }];
    }),
  );
}
