/** @file Config files as one tree of values that knows where each value stands: `extends`, environment variables, overrides. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { LineCounter, isMap, isScalar, isSeq, parse as parseYaml, parseDocument } from "yaml";
import type { ConfigProblem } from "./read-config.ts";

/** A place in a file; no line: the command line, or a file that cannot be read. */
export interface Place {
  readonly file: string;
  readonly line?: number | undefined;
}

/** Merged values and where each stands, by path joined with dots. */
export interface PlacedConfig {
  readonly value: Record<string, unknown>;
  readonly places: ReadonlyMap<string, Place>;
  readonly file: string;
  readonly problems: readonly ConfigProblem[];
}

type Environment = Readonly<Record<string, string | undefined>>;
type Tree = Record<string, unknown>;

/** Where a path stands, or else what holds it. */
export function placeOf({ places, file }: PlacedConfig, path: readonly (string | number)[]): Place {
  for (let n = path.length; n > 0; n--) {
    const place = places.get(path.slice(0, n).join("."));
    if (place) return place;
  }
  return { file };
}

/** Reads a file with all that it extends and puts overrides on top. Throws EmosllmError `usage` for an override that is not `key=value`. */
export async function readConfigFiles(
  file: string,
  overrides: readonly string[],
  environment: Environment,
): Promise<PlacedConfig> {
  const problems: ConfigProblem[] = [];
  const places = new Map<string, Place>();
  const value = await readOne(file, [], { problems, places, environment });
  for (const item of overrides) {
    const [, key, text] = /^([\w.]+)=(.*)$/s.exec(item) ?? [];
    if (key === undefined)
      throw new EmosllmError("usage", `'${item}' is no override; write key=value, for example learning_rate=0.0003`);
    const path = key.split(".");
    const place = { file: "command line" };
    let at = value;
    for (const step of path.slice(0, -1)) {
      if (typeof at[step] !== "object" || at[step] === null) at[step] = {};
      at = at[step] as Tree;
    }
    let parsed: unknown;
    try {
      parsed = parseYaml(text as string);
    } catch (cause) {
      problems.push({ ...place, path: key, value: text, message: `${(cause as Error).message.split("\n")[0]}` });
    }
    at[path.at(-1) as string] = parsed ?? null;
    for (const known of places.keys()) if (known === key || known.startsWith(`${key}.`)) places.delete(known);
    places.set(key, place);
  }
  return { value, places, file, problems };
}

interface Reading {
  readonly problems: ConfigProblem[];
  readonly places: Map<string, Place>;
  readonly environment: Environment;
}

async function readOne(file: string, from: readonly string[], reading: Reading): Promise<Tree> {
  const { problems, places } = reading;
  const wrong = (message: string, line?: number, path = ""): Tree => {
    problems.push({ file, line, path, message });
    return {};
  };
  if (from.includes(resolve(file))) return wrong(`extends itself through ${[...from, resolve(file)].join(" -> ")}`);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    return wrong(`cannot be read (${(cause as NodeJS.ErrnoException).code ?? "error"})`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const lineOf = (node: unknown): number | undefined => {
    const range = (node as { range?: readonly [number, number, number] } | null)?.range;
    return range ? lines.linePos(range[0]).line : undefined;
  };
  for (const error of document.errors) wrong(error.message.split("\n")[0] as string, lines.linePos(error.pos[0]).line);
  if (document.errors.length > 0) return {};
  if (document.contents !== null && !isMap(document.contents)) return wrong("is no mapping of keys to values", 1);

  const own = new Map<string, Place>();
  const plain = (node: unknown, path: string): unknown => {
    if (path !== "") own.set(path, { file, line: lineOf(node) });
    const under = (key: unknown): string => (path === "" ? String(key) : `${path}.${String(key)}`);
    if (isMap(node))
      return Object.fromEntries(
        node.items.map(({ key, value }) => {
          const name = String(isScalar(key) ? key.value : key);
          const given = plain(value, under(name));
          if (!value) own.set(under(name), { file, line: lineOf(key) });
          return [name, given];
        }),
      );
    if (isSeq(node)) return node.items.map((item, i) => plain(item, under(i)));
    if (!isScalar(node)) return (node as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null;
    if (typeof node.value !== "string" || !node.value.includes("${")) return node.value;
    const filled = fillEnvironment(node.value, reading.environment, (message) => wrong(message, lineOf(node), path));
    // An unquoted ${SEED} is the number that it holds.
    return node.type === "PLAIN" ? parseYaml(filled) : filled;
  };
  const { extends: bases, ...value } = plain(document.contents, "") as Tree;
  let merged: Tree = {};
  const list = bases === undefined ? [] : Array.isArray(bases) ? bases : [bases];
  for (const base of list) {
    if (typeof base !== "string") {
      wrong("must be a file, or a list of files, relative to this one", own.get("extends")?.line, "extends");
      continue;
    }
    merged = merge(merged, await readOne(resolve(dirname(file), base), [...from, resolve(file)], reading));
  }
  own.delete("extends");
  for (const [path, place] of own) places.set(path, place);
  return merge(merged, value);
}

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

/** Mappings are merged key by key; a list or a single value replaces what was there. */
function merge(base: Tree, over: Tree): Tree {
  const out = { ...base };
  for (const [key, value] of Object.entries(over))
    out[key] = isTree(out[key]) && isTree(value) ? merge(out[key], value) : value;
  return out;
}

/** `${NAME}` and `${NAME:-default}`; `$${` is a plain `${`. */
function fillEnvironment(text: string, environment: Environment, wrong: (message: string) => void): string {
  return text.replace(
    /\$\$\{|\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}|\$\{/g,
    (all, name: string | undefined, otherwise: string | undefined) => {
      if (all === "$${") return "${";
      if (name === undefined) {
        wrong(`'${text}': write \${NAME} or \${NAME:-default}, and $\${ for a plain \${`);
        return "";
      }
      const value = environment[name] ?? otherwise;
      if (value === undefined)
        wrong(`the environment variable ${name} is not set (give it, or write \${${name}:-default})`);
      return value ?? "";
    },
  );
}
