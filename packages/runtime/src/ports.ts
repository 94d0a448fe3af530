/** @file Checks what a program is fed and where its outputs are to go, before anything runs. */
import { type Shape, dimEvaluate } from "@emosllm/graph";
import { type Value, isOnDevice } from "./device-tensor.ts";
import { HOST_ARRAYS, elements } from "./host-tensor.ts";
import type { Port } from "./lower.ts";

const list = (names: Iterable<string>): string => [...names].join(", ") || "none";
const text = (shape: Shape): string => `[${shape.join(",")}]`;

/**
 * Checks names, types and shapes of what is fed, and gives the value of every named dimension.
 * Throws RangeError for an input that is missing, unknown, of the wrong type or shape.
 */
export function checkFeeds(
  ports: readonly Port[],
  feeds: Readonly<Record<string, Value>>,
): Readonly<Record<string, number>> {
  const bindings: Record<string, number> = {};
  const expressions: [Port, number, number][] = [];
  for (const port of ports) {
    const fed = feeds[port.name];
    if (!fed) throw new RangeError(`The input '${port.name}' ${port.dtype}${text(port.shape)} is missing.`);
    if (fed.dtype !== port.dtype)
      throw new RangeError(`The input '${port.name}' must be ${port.dtype}, not ${fed.dtype}.`);
    const got = text(fed.shape);
    if (fed.shape.length !== port.shape.length)
      throw new RangeError(`The input '${port.name}' must have the shape ${text(port.shape)}, not ${got}.`);
    if (!isOnDevice(fed) && (elements(fed.shape) !== fed.data.length || !(fed.data instanceof HOST_ARRAYS[fed.dtype])))
      throw new RangeError(
        `The input '${port.name}' says ${fed.dtype}${got} but holds ${fed.data.length} values in a ${fed.data.constructor.name}.`,
      );
    port.shape.forEach((d, axis) => {
      const size = fed.shape[axis] as number;
      if (typeof d === "number" ? d === size : (bindings[d] ?? size) === size) {
        if (typeof d === "string") {
          if (/^[A-Za-z_][\w.]*$/.test(d)) bindings[d] = size;
          else expressions.push([port, axis, size]);
        }
        return;
      }
      const wanted = typeof d === "number" ? String(d) : `'${d}' = ${bindings[d]}, as in another input`;
      throw new RangeError(`The input '${port.name}' has the shape ${got}; dimension ${axis} must be ${wanted}.`);
    });
  }
  for (const [port, axis, size] of expressions) {
    const wanted = dimEvaluate(port.shape[axis] as string, bindings);
    if (wanted !== size)
      throw new RangeError(
        `The input '${port.name}': dimension ${axis} must be ${port.shape[axis]} = ${wanted}, not ${size}.`,
      );
  }
  const known = new Set(ports.map((p) => p.name));
  for (const name of Object.keys(feeds))
    if (!known.has(name)) throw new RangeError(`There is no input '${name}'. There are: ${list(known)}.`);
  return bindings;
}

/** The outputs to compute, and the memory that some of them go to. Throws RangeError for an unknown output or memory that cannot take it. */
export function checkOutputs(
  ports: readonly Port[],
  only: readonly string[] | undefined,
  into: Readonly<Record<string, Value>>,
  bindings: Readonly<Record<string, number>>,
): readonly { readonly port: Port; readonly target: Value | undefined }[] {
  const byName = new Map(ports.map((p) => [p.name, p]));
  const find = (name: string): Port => {
    const port = byName.get(name);
    if (!port) throw new RangeError(`There is no output '${name}'. There are: ${list(byName.keys())}.`);
    return port;
  };
  const wanted = only === undefined ? ports : [...new Set(only)].map(find);
  for (const name of Object.keys(into))
    if (!wanted.includes(find(name)))
      throw new RangeError(`The output '${name}' has memory in 'into' but is not in 'only'.`);
  return wanted.map((port) => {
    const target = into[port.name];
    if (target) {
      const shape = port.shape.map((d) => dimEvaluate(d, bindings));
      const fits = target.dtype === port.dtype && target.shape.join() === shape.join();
      const holds = isOnDevice(target) ? elements(target.shape) : target.data.length;
      const array = isOnDevice(target) || target.data instanceof HOST_ARRAYS[port.dtype];
      if (!fits || holds !== elements(shape) || !array)
        throw new RangeError(
          `The output '${port.name}' is ${port.dtype}${text(shape)}; ${target.dtype}${text(target.shape)} of ${holds} values cannot take it.`,
        );
    }
    return { port, target };
  });
}
