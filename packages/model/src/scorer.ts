/** @file Log-likelihoods of answers: every answer of every row in one pass, the rows' common prompt run once. */
import { neg } from "@emosllm/graph";
import { type CompileOptions, type HostTensor, type Program, compile, feedsOf } from "@emosllm/runtime";
import { type EmoSllmParts, buildGraph, weightsOf } from "./assemble.ts";
import { type BatchOptions, type BatchRow, layOutBatch } from "./batch.ts";
import { formKey } from "./step-inputs.ts";

/** Log-likelihood of each token of each answer, by row and answer. */
export type AnswerScores = readonly (readonly (readonly number[])[])[];

/** Scores answers with given parameters. Dispose it. */
export interface Scorer {
  score(
    rows: readonly BatchRow[],
    parameters: Readonly<Record<string, HostTensor>>,
    options?: Pick<BatchOptions, "sharedPrefix">,
  ): Promise<AnswerScores>;
  dispose(): Promise<void>;
}

/** A scorer; programs are compiled when a batch first needs them. */
export function openScorer(parts: EmoSllmParts, options: CompileOptions = {}): Scorer {
  const programs = new Map<string, Promise<Program>>();
  return {
    async score(rows, parameters, batchOptions = {}) {
      const batch = layOutBatch(rows, {
        vectors: parts.projector.vectors,
        audioSize: parts.audioSize,
        ...batchOptions,
      });
      const key = formKey(batch.form);
      let program = programs.get(key);
      if (!program) {
        program = compile(
          { scores: neg(buildGraph(parts, batch.form).losses) },
          { ...options, weights: weightsOf(parts) },
        );
        programs.set(key, program);
      }
      const ready = await program;
      const { scores } = await ready.run(feedsOf(ready, { ...batch.feeds, ...parameters }));
      const result: number[][][] = rows.map((r) => r.answers.map(() => []));
      batch.labels.forEach(({ row, answer }, i) => result[row]?.[answer]?.push(Number((scores as HostTensor).data[i])));
      return result;
    },
    async dispose() {
      for (const p of programs.values()) await (await p).dispose();
      programs.clear();
    },
  };
}
