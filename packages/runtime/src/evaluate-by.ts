/** @file Compile, run once, release: for tests, fixtures and one-off computations. */
import type { Tensor } from "@emosllm/graph";
import type { HostTensor } from "./host-tensor.ts";
import type { CompileOptions, Program } from "./program.ts";

type Outputs<K extends string> = Readonly<Record<K, Tensor>>;

/** Gives the values of `outputs` for `feeds`. */
export type Evaluate = <K extends string>(
  outputs: Outputs<K>,
  feeds?: Readonly<Record<string, HostTensor>>,
  options?: CompileOptions,
) => Promise<Record<K, HostTensor>>;

/** `evaluate` over Node's compiler or a page's. */
export const evaluateBy =
  (compile: (outputs: Outputs<string>, options?: CompileOptions) => Promise<Program>): Evaluate =>
  async <K extends string>(
    outputs: Outputs<K>,
    feeds: Readonly<Record<string, HostTensor>> = {},
    options: CompileOptions = {},
  ) => {
    const program = await compile(outputs, options);
    try {
      return (await program.run(feeds)) as Record<K, HostTensor>;
    } finally {
      await program.dispose();
    }
  };
