/**
 * @file `pytorch_model.bin`: the zip that `torch.save` writes since PyTorch 1.6. `data.pkl` says which tensors there are, each
 * storage is a member `data/KEY`, stored uncompressed, so that tensors are used where they lie. Nothing is executed.
 */
import { open, realpath, type FileHandle } from "node:fs/promises";
import { DTYPES, elementCount, type DType } from "./dtype.ts";
import { clip, invalid, unreadable } from "./errors.ts";
import { readExactly } from "./file.ts";
import { runPickle, type PickleCall, type PickleValue, type Refuse } from "./pickle.ts";
import { isContiguous, spanOf } from "./strides.ts";
import type { TensorSource } from "./source.ts";
import { readZipMember, readZipMembers, type ZipMember } from "./zip.ts";

/** What a `.bin` file holds. */
export interface TorchBin {
  /** Absolute real path. */
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of the dictionary. Tensors may share bytes (tied weights). */
  readonly tensors: ReadonlyMap<string, TensorSource>;
}

interface Storage {
  readonly dtype: DType;
  readonly member: ZipMember;
  readonly elements: number;
}
interface View {
  readonly storage: Storage;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly start: number;
}

const MAX_PICKLE_BYTES = 16 * 1024 * 1024;
const MAX_TENSORS = 30_000;
const MAX_RANK = 64;
const STORAGES: Readonly<Record<string, DType>> = {
  "torch.FloatStorage": "f32",
  "torch.HalfStorage": "f16",
  "torch.BFloat16Storage": "bf16",
  "torch.DoubleStorage": "f64",
  "torch.CharStorage": "i8",
  "torch.ByteStorage": "u8",
  "torch.ShortStorage": "i16",
  "torch.IntStorage": "i32",
  "torch.LongStorage": "i64",
  "torch.BoolStorage": "bool",
};

/**
 * Reads which tensors a `.bin` file holds; no value is read and no code is run.
 *
 * @throws `checkpoint_invalid` with the file and byte: a name outside the allow-list, a damaged or truncated archive, a tensor
 * outside its storage, the format from before PyTorch 1.6; `checkpoint_not_found` when the file cannot be opened.
 */
export async function readTorchBin(path: string): Promise<TorchBin> {
  let file: string;
  let handle: FileHandle;
  try {
    file = await realpath(path);
    handle = await open(file, "r");
  } catch (cause) {
    throw unreadable(path, cause);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw invalid({ file }, "not a regular file");
    await checkMagic(handle, file, stat.size);
    const members = await readZipMembers(handle, file, stat.size);
    return { file, metadata: {}, tensors: await readTensors(handle, file, members) };
  } finally {
    await handle.close();
  }
}

async function checkMagic(handle: FileHandle, file: string, size: number): Promise<void> {
  const head = await readExactly(handle, file, 0, Math.min(size, 4));
  if (head.toString("latin1") === "PK\x03\x04") return;
  throw invalid(
    { file, byte: 0 },
    head[0] === 0x80
      ? "written in torch's format from before 1.6, which has to be run to be read; load it in PyTorch once and save it as safetensors"
      : "not a zip archive as torch.save writes it",
  );
}

async function readTensors(
  handle: FileHandle,
  file: string,
  members: ReadonlyMap<string, ZipMember>,
): Promise<Map<string, TensorSource>> {
  const pickles = [...members.values()].filter((m) => m.name === "data.pkl" || m.name.endsWith("/data.pkl"));
  const [pickle] = pickles;
  if (!pickle || pickles.length > 1)
    throw invalid({ file }, `the archive holds ${pickles.length} data.pkl instead of one`);
  const root = pickle.name.slice(0, -"data.pkl".length);
  const order = members.get(`${root}byteorder`);
  if (order && (await readZipMember(handle, file, order, 16)).toString("latin1").trim() !== "little")
    throw invalid({ file, byte: order.offset }, "the values are not little-endian");
  const bytes = await readZipMember(handle, file, pickle, MAX_PICKLE_BYTES);

  const views = stateDictionary(bytes, {
    storage: (key) => members.get(`${root}data/${key}`),
    fail: (message, at) => {
      const byte = pickle.method === "stored" && at !== undefined ? pickle.offset + at : undefined;
      throw invalid({ file, byte }, `data.pkl: ${message}`);
    },
  });
  return new Map([...views].map(([name, view]) => [name, toSource(file, name, view)]));
}

interface Archive {
  readonly storage: (key: string) => ZipMember | undefined;
  /** `at` is an index into data.pkl; `undefined` where the fault is no single operation's. */
  readonly fail: (message: string, at?: number) => never;
}

/** Runs the pickle with the names that a state dictionary needs. */
function stateDictionary(bytes: Buffer, archive: Archive): Map<string, View> {
  let tensors = 0;
  const names = new Map<string, PickleCall | undefined>([
    [
      "collections.OrderedDict",
      (args, fail) => (args.length === 0 ? { kind: "dict", items: [] } : fail("an OrderedDict with arguments")),
    ],
    [
      "torch._utils._rebuild_tensor_v2",
      (args, fail) => {
        if (++tensors > MAX_TENSORS) fail(`more than ${MAX_TENSORS} tensors`);
        return { kind: "object", object: rebuildTensor(args, fail) };
      },
    ],
    [
      "torch._utils._rebuild_parameter",
      (args, fail) => (viewOf(args[0]) ? args[0]! : fail("a parameter without a tensor")),
    ],
    ...Object.keys(STORAGES).map((n) => [n, undefined] as const),
  ]);
  const result = runPickle(bytes, {
    names,
    persistent: (id, fail) => ({ kind: "object", object: findStorage(id, archive, fail) }),
    fail: archive.fail,
  });
  if (!isKind(result, "dict")) return archive.fail("holds no dictionary of tensors at its top");
  const views = new Map<string, View>();
  for (let i = 0; i < result.items.length; i += 2) {
    const key = result.items[i];
    const view = viewOf(result.items[i + 1]);
    if (typeof key !== "string") return archive.fail(`a key that is no text: ${describe(key)}`);
    if (views.has(key)) return archive.fail(`the name '${clip(key)}' is there twice`);
    if (!view) return archive.fail(`'${clip(key)}' is ${describe(result.items[i + 1])}, not a tensor`);
    views.set(key, view);
  }
  return views;
}

type Kind = "tuple" | "dict";
type Container = { readonly items: PickleValue[] };
const isKind = (v: PickleValue | undefined, kind: Kind): v is Container & { kind: Kind } =>
  typeof v === "object" && v !== null && v.kind === kind;
const objectOf = (v: PickleValue | undefined): object | undefined =>
  typeof v === "object" && v !== null && v.kind === "object" ? (v.object as object) : undefined;
const viewOf = (v: PickleValue | undefined): View | undefined => {
  const object = objectOf(v);
  return object && "shape" in object ? (object as View) : undefined;
};
const storageOf = (v: PickleValue | undefined): Storage | undefined => {
  const object = objectOf(v);
  return object && "member" in object ? (object as Storage) : undefined;
};
const describe = (v: PickleValue | undefined): string =>
  typeof v === "object" && v !== null ? `a ${v.kind}` : `${typeof v} ${String(v).slice(0, 40)}`;
const isCount = (v: PickleValue | undefined): v is number => typeof v === "number" && Number.isSafeInteger(v) && v >= 0;
const countsOf = (v: PickleValue | undefined): number[] | undefined =>
  isKind(v, "tuple") && v.items.length <= MAX_RANK && v.items.every(isCount) ? (v.items as number[]) : undefined;

/** `('storage', torch.FloatStorage, '0', 'cpu', 1024)` */
function findStorage(id: PickleValue, archive: Archive, fail: Refuse): Storage {
  const [tag, type, key, , elements] = isKind(id, "tuple") ? id.items : [];
  const dtype = typeof type === "object" && type?.kind === "name" ? STORAGES[type.name] : undefined;
  if (tag !== "storage" || !dtype || typeof key !== "string" || !isCount(elements))
    return fail("a persistent id that is no storage");
  const member = archive.storage(key);
  if (!member) return fail(`storage '${clip(key)}' is not in the archive`);
  const bytes = elements * DTYPES[dtype].bytes;
  if (bytes !== member.size)
    return fail(`storage '${clip(key)}' has ${member.size} bytes; ${elements} elements of ${dtype} take ${bytes}`);
  return { dtype, member, elements };
}

/** `_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata=None)` */
function rebuildTensor(args: readonly PickleValue[], fail: Refuse): View {
  const storage = storageOf(args[0]);
  const start = args[1];
  const shape = countsOf(args[2]);
  const strides = countsOf(args[3]);
  if (!storage || !isCount(start) || !shape || strides?.length !== shape.length)
    return fail("a tensor whose storage, offset, shape or strides are not what torch writes");
  for (const extra of args.slice(5))
    if (extra !== null && !(isKind(extra, "dict") && extra.items.length === 0))
      return fail("a tensor with hooks, or a conjugate or negative view");
  const end = start + spanOf(shape, strides);
  if (end > storage.elements)
    return fail(`a tensor of shape [${shape.join(", ")}] ends at element ${end} of a storage of ${storage.elements}`);
  // An expanded view (stride 0) has more elements than bytes behind it; a few bytes could ask for any amount of memory.
  if (elementCount(shape) > storage.elements)
    return fail(`a tensor of shape [${shape.join(", ")}] expands a storage of ${storage.elements} elements`);
  return { storage, shape, strides, start };
}

function toSource(file: string, name: string, { storage, shape, strides, start }: View): TensorSource {
  const { dtype, member } = storage;
  const { bytes } = DTYPES[dtype];
  const span = spanOf(shape, strides);
  const inside = { offset: start * bytes, length: span * bytes };
  return {
    name,
    dtype,
    shape,
    file,
    length: inside.length,
    offset: member.method === "stored" ? member.offset + inside.offset : inside.offset,
    ...(isContiguous(shape, strides) ? {} : { strides }),
    ...(member.method === "stored"
      ? {}
      : { compressed: { offset: member.offset, length: member.length, inflatedLength: member.size } }),
  };
}
