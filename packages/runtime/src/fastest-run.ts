/** @file How long a small program takes when nothing else disturbs it: the fastest of a few runs. */
import type { Tensor } from "@emosllm/graph";
import type { HostTensor } from "./host-tensor.ts";
import { type CompileOptions, compile } from "./program.ts";

/** Options of {@link fastestRun}: those of `compile`, and how many runs. */
export interface FastestRunOptions extends CompileOptions {
  /** 8 when not given. */
  readonly runs?: number;
}

/** Compiles one output, runs it and gives the fastest run in milliseconds. Let little come back: what is given is copied. Throws as `compile`. */
export async function fastestRun(
  output: Tensor,
  feeds: Readonly<Record<string, HostTensor>>,
  { runs = 8, ...options }: FastestRunOptions = {},
): Promise<number> {
  const program = await compile({ output }, options);
  try {
    let best = Infinity;
    for (let i = 0; i < runs; i++) {
      const start = performance.now();
      await program.run(feeds);
      best = Math.min(best, performance.now() - start);
    }
    return best;
  } finally {
    await program.dispose();
  }
}
