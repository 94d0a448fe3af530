/**
 * @file The directory of a zip archive (APPNOTE 6.3.10, with zip64), as far as `torch.save` uses it: where each member's
 * bytes lie. Members are found through the central directory only, every range is checked against the file.
 */
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { invalid } from "./errors.ts";
import { readExactly } from "./file.ts";

/** A member of an archive. */
export interface ZipMember {
  readonly name: string;
  /** Whether the bytes in the file are the member's own, or deflated. */
  readonly method: "stored" | "deflated";
  /** First byte of the data in the file, stored or deflated. */
  readonly offset: number;
  /** Bytes in the file. */
  readonly length: number;
  /** Bytes of the member itself. */
  readonly size: number;
  readonly crc32: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const MAX_DIRECTORY_BYTES = 8 * 1024 * 1024;
const MAX_MEMBERS = 60_000;
/** A deflated member may be this much larger than the whole file: no few bytes may ask for any amount of memory. */
const MAX_GROWTH = 16 * 1024 * 1024;
const inflate = promisify(inflateRaw);

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly entries: number;
}

/** Reads the members of an archive, by name. */
export async function readZipMembers(
  handle: FileHandle,
  file: string,
  fileSize: number,
): Promise<ReadonlyMap<string, ZipMember>> {
  const directory = await findDirectory(handle, file, fileSize);
  const { offset, size, entries } = directory;
  if (size > MAX_DIRECTORY_BYTES)
    throw invalid(
      { file, byte: offset },
      `a zip directory of ${size} bytes; at most ${MAX_DIRECTORY_BYTES} are accepted`,
    );
  if (entries > MAX_MEMBERS)
    throw invalid({ file, byte: offset }, `an archive of ${entries} members; ${MAX_MEMBERS} are accepted`);
  if (offset + size > fileSize) throw invalid({ file, byte: offset }, `the zip directory ends behind the file's end`);
  const bytes = await readExactly(handle, file, offset, size);
  const members = new Map<string, ZipMember>();
  let at = 0;
  for (let i = 0; i < entries; i++) {
    const fail = (message: string): never => {
      throw invalid({ file, byte: offset + at }, message);
    };
    if (at + 46 > size || bytes.readUInt32LE(at) !== CENTRAL) fail(`zip directory entry ${i} of ${entries} is damaged`);
    const nameLength = bytes.readUInt16LE(at + 28);
    const extraLength = bytes.readUInt16LE(at + 30);
    const next = at + 46 + nameLength + extraLength + bytes.readUInt16LE(at + 32);
    if (next > size) fail(`zip directory entry ${i} of ${entries} is cut off`);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    if (members.has(name)) fail(`the archive holds '${name}' twice`);
    if (bytes.readUInt16LE(at + 8) & 1) fail(`'${name}' is encrypted`);
    const method = bytes.readUInt16LE(at + 10);
    if (method !== 0 && method !== 8) fail(`'${name}' is compressed with method ${method}; 0 and 8 (deflate) are read`);
    const [unpacked, packed, local] = wideSizes(bytes, at, at + 46 + nameLength, extraLength, fail);
    if (method === 0 && unpacked !== packed) fail(`'${name}' is stored, but ${packed} bytes are not ${unpacked}`);
    if (unpacked > fileSize + MAX_GROWTH)
      fail(`'${name}' would inflate to ${unpacked} bytes from a file of ${fileSize}`);
    const data = await dataOffset(handle, file, fileSize, name, local);
    if (data + packed > offset)
      fail(`'${name}' ends at byte ${data + packed}, inside the zip directory at byte ${offset}`);
    members.set(name, {
      name,
      method: method === 0 ? "stored" : "deflated",
      offset: data,
      length: packed,
      size: unpacked,
      crc32: bytes.readUInt32LE(at + 16),
    });
    at = next;
  }
  refuseOverlaps(file, members);
  return members;
}

/** Reads a small member into memory, and checks its checksum. */
export async function readZipMember(
  handle: FileHandle,
  file: string,
  member: ZipMember,
  most: number,
): Promise<Buffer> {
  const place = { file, byte: member.offset };
  if (member.size > most || member.length > most)
    throw invalid(place, `'${member.name}' has ${member.size} bytes; at most ${most} are accepted`);
  const raw = await readExactly(handle, file, member.offset, member.length);
  const bytes =
    member.method === "stored"
      ? raw
      : await inflate(raw, { maxOutputLength: Math.max(1, member.size) }).catch((cause: unknown) => {
          throw invalid(place, `'${member.name}' is damaged`, cause);
        });
  if (bytes.length !== member.size || crc32(bytes) !== member.crc32)
    throw invalid(place, `'${member.name}' is damaged: its checksum differs`);
  return bytes;
}

/** The end-of-directory record: in the last 22 bytes plus a comment of at most 65,535. */
async function findDirectory(handle: FileHandle, file: string, fileSize: number): Promise<Directory> {
  const length = Math.min(fileSize, 22 + 65535);
  const start = fileSize - length;
  const tail = await readExactly(handle, file, start, length);
  for (let at = length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END || at + 22 + tail.readUInt16LE(at + 20) !== length) continue;
    const found = {
      entries: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    if (found.entries !== 0xffff && found.size !== 0xffffffff && found.offset !== 0xffffffff) return found;
    return readDirectory64(handle, file, fileSize, start + at);
  }
  throw invalid({ file, byte: fileSize }, "no zip directory at the end: not a zip archive, or truncated");
}

async function readDirectory64(handle: FileHandle, file: string, fileSize: number, end: number): Promise<Directory> {
  const place = { file, byte: end - 20 };
  if (end < 20) throw invalid(place, "the zip64 locator is missing");
  const locator = await readExactly(handle, file, end - 20, 20);
  if (locator.readUInt32LE(0) !== END64_LOCATOR) throw invalid(place, "the zip64 locator is missing");
  const at = Number(locator.readBigUInt64LE(8));
  if (at + 56 > fileSize) throw invalid(place, `the zip64 record would lie at byte ${at}, behind the file's end`);
  const record = await readExactly(handle, file, at, 56);
  if (record.readUInt32LE(0) !== END64) throw invalid({ file, byte: at }, "the zip64 record is damaged");
  return {
    entries: Number(record.readBigUInt64LE(32)),
    size: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
  };
}

/** Unpacked size, packed size and local header offset, from the zip64 extra field where the 32-bit ones are full. */
function wideSizes(
  bytes: Buffer,
  at: number,
  extra: number,
  extraLength: number,
  fail: (message: string) => never,
): [number, number, number] {
  const values = [bytes.readUInt32LE(at + 24), bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)];
  if (values.includes(0xffffffff)) {
    let field = extra;
    const end = extra + extraLength;
    while (field + 4 <= end && bytes.readUInt16LE(field) !== 1) field += 4 + bytes.readUInt16LE(field + 2);
    let next = field + 4;
    for (let i = 0; i < 3; i++) {
      if (values[i] !== 0xffffffff) continue;
      if (next + 8 > end) fail("the zip64 sizes are missing");
      values[i] = Number(bytes.readBigUInt64LE(next));
      next += 8;
    }
  }
  return values as [number, number, number];
}

/** A member's data begins behind its local header, whose extra field (torch's padding) the directory does not know. */
async function dataOffset(
  handle: FileHandle,
  file: string,
  fileSize: number,
  name: string,
  local: number,
): Promise<number> {
  if (local + 30 > fileSize) throw invalid({ file, byte: fileSize }, `'${name}' would begin at byte ${local}`);
  const header = await readExactly(handle, file, local, 30);
  if (header.readUInt32LE(0) !== LOCAL)
    throw invalid({ file, byte: local }, `the local header of '${name}' is damaged`);
  return local + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
}

function refuseOverlaps(file: string, members: ReadonlyMap<string, ZipMember>): void {
  let end = 0;
  let last = "";
  for (const { name, offset, length } of [...members.values()].sort((a, b) => a.offset - b.offset)) {
    if (offset < end)
      throw invalid({ file, byte: offset }, `'${name}' begins inside '${last}', which ends at byte ${end}`);
    end = offset + length;
    last = name;
  }
}
