/** @file Compile, run once, release, in a page. */
import type { Tensor } from "@emosllm/graph";
import type { HostTensor } from "../host-tensor.ts";
import type { CompileOptions } from "../program.ts";
import { compile } from "./program.ts";

/** The values of `outputs` for `feeds`. */
export async function evaluate<K extends string>(
  outputs: Readonly<Record<K, Tensor>>,
  feeds: Readonly<Record<string, HostTensor>> = {},
  options: CompileOptions = {},
): Promise<Record<K, HostTensor>> {
  const program = await compile(outputs, options);
  try {
    return (await program.run(feeds)) as Record<K, HostTensor>;
  } finally {
    await program.dispose();
  }
}
