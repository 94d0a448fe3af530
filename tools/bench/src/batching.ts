/**
 * @file `bench batching [train's flags] [--batches 40] [--max-tokens N]`: utterances a second over the real lengths of the demo corpus (make it
 * with `npm start`), in batches as they come, of like lengths, and cut to a budget of tokens; and the resident memory over the steps, which
 * must not grow with ever new shapes.
 */
import { parseArgs } from "node:util";
import { collect, iemocap } from "@emosllm/datasets";
import { type BatchRow, layOutBatch } from "@emosllm/model";
import { randomStream, shuffledOrder, withinTokens } from "@emosllm/training";
import { round, setUpTraining } from "./set-up.ts";
import { SHAPES } from "./shapes.ts";

/** Frames a second of the encoders that this is for (WavLM, wav2vec 2.0, HuBERT). */
const FRAME_RATE = 50;
/** A usual tokenizer's, in English. */
const TOKENS_PER_WORD = 1.3;

export async function benchBatching(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values, tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: {
      batches: { type: "string", default: "40" },
      "max-tokens": { type: "string", default: "1500" },
      corpus: { type: "string", default: "runs/demo-corpus" },
    },
  });
  const own = new Set(["batches", "max-tokens", "corpus"]);
  const rest = argv.filter(
    (_, i) =>
      !tokens.some(
        (t) => t.kind === "option" && own.has(t.name) && (i === t.index || (i === t.index + 1 && !t.inlineValue)),
      ),
  );
  const { shape, precision, parts, rows: usual, trainer } = await setUpTraining(rest);
  const { audioSize, projector } = parts;
  const vocab = (SHAPES[shape] as { vocab: number }).vocab;
  const r = randomStream(1, "batching").next;
  const ids = (n: number): number[] => Array.from({ length: n }, () => 4 + Math.floor(r() * (vocab - 4)));
  const before = ids(80);
  const noise = Float32Array.from({ length: 2000 * audioSize }, () => r() * 2 - 1);
  const utterances = await collect(iemocap(String(values.corpus)));
  const all = utterances.map(({ audio, text = "" }): BatchRow => {
    const length = Math.max(1, Math.min(2000, Math.round((audio.duration ?? 1) * FRAME_RATE)));
    return {
      before,
      after: ids(Math.ceil(text.split(/\s+/u).length * TOKENS_PER_WORD)),
      answers: [ids(1)],
      frames: { length, data: noise.subarray(0, length * audioSize) },
    };
  });
  const framesOf = (row: BatchRow): number => row.frames?.length ?? 0;
  const size = usual.length;
  const maxTokens = Number(values["max-tokens"]);
  const step = async (part: readonly BatchRow[], first: boolean): Promise<void> =>
    void (await trainer.accumulate(layOutBatch(part, { vectors: projector.vectors, audioSize }), first));
  const longest = all.toSorted((a, b) => framesOf(b) - framesOf(a)).slice(0, size);
  await step(longest, true);
  await trainer.update();
  const rss: number[] = [];
  const run = async (grouped: boolean, budget: number): Promise<Record<string, number>> => {
    const groups = grouped ? { size, length: framesOf } : undefined;
    const order = shuffledOrder(all, { seed: 0, name: "batching", groups });
    let [padded, real, parts] = [0, 0, 0];
    const start = performance.now();
    for (let batch = 0; batch < Number(values.batches); batch++) {
      const rows = order.take(size);
      for (const [i, part] of withinTokens(
        rows,
        budget,
        (x) => framesOf(x) + before.length + x.after.length,
      ).entries()) {
        await step(part, i === 0);
        padded += part.length * Math.max(...part.map(framesOf));
        real += part.reduce((n, x) => n + framesOf(x), 0);
        parts++;
      }
      await trainer.update();
      if (batch % 10 === 9) rss.push(Math.round(process.memoryUsage.rss() / 2 ** 20));
    }
    const seconds = (performance.now() - start) / 1000;
    return {
      utterances_per_s: round((size * Number(values.batches)) / seconds),
      frames_padded: round(padded / real - 1),
      parts_a_batch: round(parts / Number(values.batches)),
    };
  };
  const as_they_come = await run(false, Infinity);
  const group_by_length = await run(true, Infinity);
  const max_tokens = await run(true, maxTokens);
  await trainer.dispose();
  const lengths = all.map(framesOf).toSorted((a, b) => a - b);
  return {
    shape,
    precision,
    batch: size,
    utterances: all.length,
    frames: [0, 0.5, 1].map((q) => lengths[Math.round(q * (lengths.length - 1))]),
    as_they_come,
    group_by_length,
    max_tokens: { budget: maxTokens, ...max_tokens },
    rss_mib: rss,
    peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}
