/**
 * @file A pickle machine that can build tensors' descriptions and nothing else. Pickle is a program; this one knows data (numbers,
 * text, lists, dictionaries) and the few names that `torch.save` needs for a state dictionary. Any other name is refused
 * where it appears, before anything is called. Opcodes: CPython's `pickletools`, protocols 2 to 5.
 */

/** A value in a pickle. Dictionaries are flat lists `[key, value, key, value]`, so that equal keys stay visible. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | { readonly kind: "tuple" | "list" | "dict"; readonly items: PickleValue[] }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "object"; readonly object: unknown };

/** Refuses the pickle at the operation that is being done. */
export type Refuse = (message: string) => never;
/** What calling a name with these arguments gives. */
export type PickleCall = (args: readonly PickleValue[], fail: Refuse) => PickleValue;

/** What the reader of a certain file allows. */
export interface PickleRules {
  /** Names that may appear, e.g. `torch._utils._rebuild_tensor_v2`, and what calling one does (`undefined`: not callable). */
  readonly names: ReadonlyMap<string, PickleCall | undefined>;
  /** What a persistent id stands for. */
  readonly persistent: (id: PickleValue, fail: Refuse) => PickleValue;
  /** Throws the caller's error; `at` is an index into the pickle. */
  readonly fail: (message: string, at: number) => never;
}

interface Machine {
  readonly bytes: Buffer;
  at: number;
  readonly stack: PickleValue[];
  readonly marks: number[];
  readonly memo: Map<number, PickleValue>;
  readonly rules: PickleRules;
  readonly fail: Refuse;
  containers: number;
}

/** A tensor takes about 40 operations and 6 containers: room for 30,000, and a bound on the memory of a hostile file. */
const MAX_OPERATIONS = 1_500_000;
const MAX_CONTAINERS = 250_000;
const MAX_MEMOS = 400_000;
const STOP = 0x2e;

/** Runs a pickle. Everything the rules do not allow ends in `rules.fail`. */
export function runPickle(bytes: Buffer, rules: PickleRules): PickleValue {
  let start = 0;
  const fail = (message: string): never => rules.fail(message, start);
  const m: Machine = { bytes, at: 0, stack: [], marks: [], memo: new Map(), rules, fail, containers: 0 };
  for (let count = 0; ; count++) {
    start = m.at;
    const opcode = bytes[m.at++];
    if (opcode === undefined) return fail("the pickle ends without STOP");
    if (opcode === STOP) break;
    const operation = OPERATIONS[opcode];
    if (!operation) return fail(`opcode 0x${opcode.toString(16).padStart(2, "0")} is not allowed`);
    if (count >= MAX_OPERATIONS) return fail(`more than ${MAX_OPERATIONS} operations`);
    operation(m);
  }
  if (m.stack.length !== 1 || m.marks.length > 0) return fail("STOP with a stack that does not hold one value");
  return m.stack[0]!;
}

const take = (m: Machine, length: number): number => {
  const at = m.at;
  if (length > m.bytes.length - at) m.fail("the pickle is cut off");
  m.at = at + length;
  return at;
};
const u8 = (m: Machine): number => m.bytes[take(m, 1)]!;
const u16 = (m: Machine): number => m.bytes.readUInt16LE(take(m, 2));
const u32 = (m: Machine): number => m.bytes.readUInt32LE(take(m, 4));
const u64 = (m: Machine): number => Number(m.bytes.readBigUInt64LE(take(m, 8)));

const pop = (m: Machine): PickleValue => {
  if (m.stack.length <= (m.marks.at(-1) ?? 0)) m.fail("the stack is empty");
  return m.stack.pop()!;
};
const top = (m: Machine): PickleValue => {
  if (m.stack.length <= (m.marks.at(-1) ?? 0)) m.fail("the stack is empty");
  return m.stack.at(-1)!;
};
const popMark = (m: Machine): PickleValue[] => m.stack.splice(m.marks.pop() ?? m.fail("there is no mark"));

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const text = (m: Machine, length: number): void => {
  const at = take(m, length);
  try {
    m.stack.push(utf8.decode(m.bytes.subarray(at, at + length)));
  } catch {
    m.fail("a text that is not valid UTF-8");
  }
};
const build = (m: Machine, kind: "tuple" | "list" | "dict", items: PickleValue[]): void => {
  if (++m.containers > MAX_CONTAINERS) m.fail(`more than ${MAX_CONTAINERS} tuples, lists and dictionaries`);
  m.stack.push({ kind, items });
};
const tuple = (m: Machine, length: number): void => {
  if (m.stack.length - (m.marks.at(-1) ?? 0) < length) m.fail("the stack is empty");
  build(m, "tuple", m.stack.splice(m.stack.length - length));
};
const get = (m: Machine, index: number): void => {
  const value = m.memo.get(index);
  if (value === undefined) m.fail(`memo ${index} is not set`);
  m.stack.push(value!);
};
const put = (m: Machine, index: number): void => {
  if (m.memo.size >= MAX_MEMOS) m.fail(`more than ${MAX_MEMOS} memos`);
  m.memo.set(index, top(m));
};
const long = (m: Machine, length: number): void => {
  const at = take(m, length);
  if (length > 8) m.fail(`a whole number of ${length} bytes`);
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(m.bytes[at + i]!);
  const signed = Number(BigInt.asIntN(length * 8, value));
  if (!Number.isSafeInteger(signed)) m.fail("a whole number beyond 2^53");
  m.stack.push(signed);
};
const line = (m: Machine): string => {
  const end = m.bytes.indexOf(10, m.at);
  if (end < 0 || end - m.at > 1000) m.fail("a name does not end");
  const at = take(m, end + 1 - m.at);
  return m.bytes.toString("utf8", at, end);
};
const name = (m: Machine, module: string, member: string): void => {
  const full = `${module}.${member}`;
  if (!m.rules.names.has(full))
    m.fail(
      `the name '${full}' is not allowed; a state dictionary needs only ${[...m.rules.names].flatMap(([n, call]) => (call ? [n] : [])).join(", ")} and torch's storages`,
    );
  m.stack.push({ kind: "name", name: full });
};
const container = (m: Machine, kind: "list" | "dict"): PickleValue[] => {
  const target = top(m);
  if (target === null || typeof target !== "object" || target.kind !== kind) return m.fail(`expected a ${kind}`);
  return target.items;
};
const extend = (target: PickleValue[], items: readonly PickleValue[]): void => {
  for (const item of items) target.push(item);
};
const pairs = (m: Machine, items: PickleValue[]): PickleValue[] => {
  if (items.length % 2 !== 0) m.fail("a key without a value");
  return items;
};

type Operation = (m: Machine) => void;
const char = (c: string): number => c.charCodeAt(0);

/** What each allowed opcode does; the comment is its name in `pickletools`. */
const OPERATIONS: Readonly<Record<number, Operation>> = {
  [0x80]: (m) => {
    const protocol = u8(m); // PROTO
    if (protocol < 2 || protocol > 5) m.fail(`pickle protocol ${protocol}; 2 to 5 are read`);
  },
  [0x95]: (m) => void take(m, 8), // FRAME
  [char("N")]: (m) => m.stack.push(null), // NONE
  [0x88]: (m) => m.stack.push(true), // NEWTRUE
  [0x89]: (m) => m.stack.push(false), // NEWFALSE
  [char("K")]: (m) => m.stack.push(u8(m)), // BININT1
  [char("M")]: (m) => m.stack.push(u16(m)), // BININT2
  [char("J")]: (m) => m.stack.push(m.bytes.readInt32LE(take(m, 4))), // BININT
  [0x8a]: (m) => long(m, u8(m)), // LONG1
  [char("G")]: (m) => m.stack.push(m.bytes.readDoubleBE(take(m, 8))), // BINFLOAT
  [char("X")]: (m) => text(m, u32(m)), // BINUNICODE
  [0x8c]: (m) => text(m, u8(m)), // SHORT_BINUNICODE
  [0x8d]: (m) => text(m, u64(m)), // BINUNICODE8
  [char("(")]: (m) => m.marks.push(m.stack.length), // MARK
  [char("0")]: (m) => void pop(m), // POP
  [char(")")]: (m) => tuple(m, 0), // EMPTY_TUPLE
  [0x85]: (m) => tuple(m, 1), // TUPLE1
  [0x86]: (m) => tuple(m, 2), // TUPLE2
  [0x87]: (m) => tuple(m, 3), // TUPLE3
  [char("t")]: (m) => build(m, "tuple", popMark(m)), // TUPLE
  [char("]")]: (m) => build(m, "list", []), // EMPTY_LIST
  [char("}")]: (m) => build(m, "dict", []), // EMPTY_DICT
  [char("a")]: (m) => {
    const item = pop(m); // APPEND
    container(m, "list").push(item);
  },
  [char("e")]: (m) => {
    const items = popMark(m); // APPENDS
    extend(container(m, "list"), items);
  },
  [char("s")]: (m) => {
    const value = pop(m); // SETITEM
    const key = pop(m);
    container(m, "dict").push(key, value);
  },
  [char("u")]: (m) => {
    const items = pairs(m, popMark(m)); // SETITEMS
    extend(container(m, "dict"), items);
  },
  [char("q")]: (m) => put(m, u8(m)), // BINPUT
  [char("r")]: (m) => put(m, u32(m)), // LONG_BINPUT
  [0x94]: (m) => put(m, m.memo.size), // MEMOIZE
  [char("h")]: (m) => get(m, u8(m)), // BINGET
  [char("j")]: (m) => get(m, u32(m)), // LONG_BINGET
  [char("c")]: (m) => name(m, line(m), line(m)), // GLOBAL
  [0x93]: (m) => {
    const member = pop(m); // STACK_GLOBAL
    const module = pop(m);
    if (typeof member !== "string" || typeof module !== "string") return m.fail("a name that is no text");
    name(m, module, member);
  },
  [char("Q")]: (m) => m.stack.push(m.rules.persistent(pop(m), m.fail)), // BINPERSID
  [char("R")]: (m) => {
    const args = pop(m); // REDUCE
    const callee = pop(m);
    if (callee === null || typeof callee !== "object" || callee.kind !== "name") return m.fail("only names are called");
    const call = m.rules.names.get(callee.name);
    if (!call || args === null || typeof args !== "object" || args.kind !== "tuple")
      return m.fail(`'${callee.name}' cannot be called so`);
    m.stack.push(call(args.items, m.fail));
  },
  // BUILD: a state dictionary carries `_metadata` (versions of modules) as an attribute; no attribute is a tensor.
  [char("b")]: (m) => {
    pop(m);
    container(m, "dict");
  },
};
