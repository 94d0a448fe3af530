/** @file Picks what a program takes out of values that several programs share. */
import type { Value } from "./device-tensor.ts";
import type { Port } from "./lower.ts";

/** The part of `values` that a program takes: for values that several programs share. */
export function feedsOf<V extends Value>(
  program: { readonly inputs: readonly Port[] },
  values: Readonly<Record<string, V>>,
): Record<string, V> {
  return Object.fromEntries(
    program.inputs.flatMap(({ name }) => (values[name] ? [[name, values[name]] as const] : [])),
  );
}
