/**
 * @file `text.strip(chars)` in chat templates. `@huggingface/jinja` 0.5 ignores `chars` and strips all white space, Python strips
 * those characters alone; Qwen3's and SmolLM3's templates rely on it. Calls with an argument are rewritten to the functions here.
 */

const strip =
  (left: boolean, right: boolean) =>
  (value: string, chars: string): string => {
    const set = new Set(chars);
    const units = [...value];
    const isKept = (unit: string): boolean => !set.has(unit);
    const from = left ? units.findIndex(isKept) : 0;
    const to = right ? units.findLastIndex(isKept) + 1 : units.length;
    return from < 0 ? "" : units.slice(from, to).join("");
  };

const METHODS = { strip: "__strip", lstrip: "__lstrip", rstrip: "__rstrip" } as const;
const isMethod = (name: unknown): name is keyof typeof METHODS => typeof name === "string" && name in METHODS;

/** The functions that {@link rewriteStripCalls} refers to, to be set as globals. */
export const STRIP_FUNCTIONS: Readonly<Record<string, (value: string, chars: string) => string>> = {
  __strip: strip(true, true),
  __lstrip: strip(true, false),
  __rstrip: strip(false, true),
};

interface Node {
  type?: string;
  [key: string]: unknown;
}

/** Rewrites `x.strip(c)` to `__strip(x, c)`, and `lstrip` and `rstrip` alike, everywhere below `node`, in place. */
export function rewriteStripCalls(node: unknown): void {
  if (Array.isArray(node)) return node.forEach(rewriteStripCalls);
  if (node instanceof Map) return [...node].forEach(rewriteStripCalls);
  if (typeof node !== "object" || node === null) return;
  const { type, callee, args } = node as Node & { callee?: Node; args?: unknown[] };
  if (type === "CallExpression" && callee?.type === "MemberExpression" && args?.length === 1) {
    const method = (callee["property"] as Node | undefined)?.["value"];
    if (callee["computed"] === false && isMethod(method))
      Object.assign(node, {
        callee: Object.assign(
          Object.create(Object.getPrototypeOf(callee["property"]) as object) as Node,
          callee["property"],
          {
            value: METHODS[method],
          },
        ),
        args: [callee["object"], ...args],
      });
  }
  for (const child of Object.values(node)) rewriteStripCalls(child);
}
