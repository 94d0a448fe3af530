/** @file Reads tar archives (ustar, GNU long names, pax) member by member, from a file with seeks or from a stream. */
import { EmosllmError } from "@emosllm/interfaces";

/** Bytes in order. `position` counts from the first byte of the (decompressed) archive. */
export interface ByteSource {
  readonly position: number;
  /** Up to `length` bytes; fewer only at the end. */
  read(length: number): Promise<Uint8Array>;
  skip(length: number): Promise<void>;
}

/** A regular file of an archive; `chunks` may be consumed once, before the next member is asked for. */
export interface TarMember {
  path: string;
  size: number;
  /** Of the first data byte. */
  offset: number;
  chunks(): AsyncGenerator<Uint8Array>;
}

const BLOCK = 512;
const text = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8");
};

function number(bytes: Uint8Array): number {
  if ((bytes[0] ?? 0) & 0x80) {
    let value = 0; // GNU base-256, for files of 8 GiB and more
    for (let i = 1; i < bytes.length; i++) value = value * 256 + (bytes[i] ?? 0);
    return value;
  }
  const digits = text(bytes).trim();
  return digits === "" ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function checksumFits(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : (header[i] ?? 0);
  return sum === number(header.subarray(148, 156));
}

function paxFields(bytes: Uint8Array): Map<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(text(bytes.subarray(at, space)));
    if (!(length > 0)) break;
    const record = text(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf("=");
    fields.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return fields;
}

/** The regular files of a tar, in order. @throws EmosllmError `corpus_invalid` on a broken or truncated archive. */
export async function* tarMembers(source: ByteSource, name: string): AsyncGenerator<TarMember> {
  const broken = (why: string): EmosllmError =>
    new EmosllmError("corpus_invalid", `${name}: broken tar archive at byte ${source.position}: ${why}`);
  let longName: string | undefined;
  let pax = new Map<string, string>();
  for (;;) {
    const header = await source.read(BLOCK);
    if (header.length === 0) return;
    if (header.length < BLOCK) throw broken("the header is cut short");
    if (header.every((b) => b === 0)) return;
    if (!checksumFits(header)) throw broken("header checksum does not fit");
    const size = pax.has("size") ? Number(pax.get("size")) : number(header.subarray(124, 136));
    if (!Number.isSafeInteger(size) || size < 0) throw broken(`impossible member size ${size}`);
    const type = String.fromCharCode(header[156] ?? 0);
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    if (type === "L" || type === "x" || type === "g" || type === "K") {
      if (size > 1 << 20) throw broken(`a name record of ${size} bytes`);
      const body = (await source.read(padded)).subarray(0, size);
      if (body.length < size) throw broken("a name record is cut short");
      if (type === "L") longName = text(body);
      if (type === "x") pax = paxFields(body);
      continue;
    }
    const prefix =
      text(header.subarray(257, 262)) === "ustar" && header[263] === 0x30 ? text(header.subarray(345, 500)) : "";
    const short = text(header.subarray(0, 100));
    const path = (pax.get("path") ?? longName ?? (prefix ? `${prefix}/${short}` : short)).replace(/^(?:\.\/)+/, "");
    longName = undefined;
    pax = new Map();
    const offset = source.position;
    if (type === "0" || type === "\0" || type === "7") {
      yield {
        path,
        size,
        offset,
        async *chunks() {
          while (source.position < offset + size) {
            const chunk = await source.read(Math.min(1 << 16, offset + size - source.position));
            if (chunk.length === 0) throw broken(`member ${path} is cut short`);
            yield chunk;
          }
        },
      };
    }
    try {
      await source.skip(offset + padded - source.position);
    } catch (cause) {
      throw new EmosllmError("corpus_invalid", `${name}: member ${path}: ${(cause as Error).message}`, { cause });
    }
  }
}

/** All bytes of a member. */
export async function memberBytes(member: TarMember): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of member.chunks()) parts.push(chunk);
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}
