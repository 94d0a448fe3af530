/** @file A graph as text, one tensor a line, so that a changed rule shows up as a readable difference. */
import { type Tensor, describeType } from "./tensor.ts";
import { topologicalOrder } from "./walk.ts";

const MAX_VALUES = 4;

function attribute(value: unknown): string {
  if (ArrayBuffer.isView(value)) {
    const list = Array.from(value as unknown as ArrayLike<number | bigint>);
    const shown = list
      .slice(0, MAX_VALUES)
      .map((v) => (typeof v === "number" ? String(Math.fround(v) === v ? Number(v.toPrecision(6)) : v) : String(v)));
    return `[${shown.join(",")}${list.length > MAX_VALUES ? ",..." : ""}]`;
  }
  return Array.isArray(value) ? `[${value.map(String).join(",")}]` : String(value);
}

/**
 * Text of everything that `outputs` need, e.g.
 *
 *     %0 = input name=x : f32[3]
 *     %1 = mul %0 %0 : f32[3]
 *     out y = %1
 */
export function print(outputs: Readonly<Record<string, Tensor>>): string {
  const ids = new Map<Tensor, number>();
  const lines = topologicalOrder(Object.values(outputs)).map((t) => {
    ids.set(t, ids.size);
    const inputs = t.inputs.map((i) => `%${ids.get(i)}`);
    const attrs = Object.entries(t.attrs).map(([k, v]) => `${k}=${attribute(v)}`);
    return [`%${ids.get(t)} = ${t.op}`, ...inputs, ...attrs, ":", describeType(t)].join(" ");
  });
  for (const [name, t] of Object.entries(outputs)) lines.push(`out ${name} = %${ids.get(t)}`);
  return lines.join("\n");
}
