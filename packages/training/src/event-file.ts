/**
 * @file TensorBoard's event files, scalars only: TFRecord framing with masked CRC-32C around `Event` messages of protocol buffers
 * (tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** Writes scalars. Every call writes through, so that nothing is lost when the process is killed. */
export interface EventFile {
  readonly file: string;
  scalars(step: number, values: Readonly<Record<string, number>>, seconds?: number): void;
  close(): void;
}

/**
 * Opens a new event file in `folder`. `from`: what earlier files say of this step and later ones no longer counts (a resumed run).
 * `seconds`: since 1970. Throws what the file system says.
 */
export function openEventFile(
  folder: string,
  { from, seconds = Date.now() / 1000 }: { from?: number; seconds?: number } = {},
): EventFile {
  mkdirSync(folder, { recursive: true });
  const name = `events.out.tfevents.${Math.floor(seconds)}.${hostname()}.${process.pid}`;
  const file = join(folder, `${name}.${opened++}`);
  const handle = openSync(file, "ax");
  const write = (event: Uint8Array): void => {
    writeSync(handle, record(event));
  };
  write(joined([double(1, seconds), text(3, "brain.Event:2")]));
  if (from !== undefined) write(joined([double(1, seconds), whole(2, from), bytes(7, whole(1, SESSION_START))]));
  return {
    file,
    scalars(step, values, at = Date.now() / 1000) {
      const summary = Object.entries(values).map(([tag, value]) => bytes(1, joined([text(1, tag), float(2, value)])));
      write(joined([double(1, at), whole(2, step), bytes(5, joined(summary))]));
    },
    close: () => closeSync(handle),
  };
}
let opened = 0;
const SESSION_START = 1;

/** One TFRecord: length, its checksum, data, its checksum; all little-endian. */
function record(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length + 4);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return out;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  // Castagnoli's polynomial, reflected.
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c;
});

/** CRC-32C of bytes (RFC 3720, B.4). */
export function crc32c(data: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of data) c = (TABLE[(c ^ byte) & 255] as number) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** Rotated and shifted, so that a checksum of data with checksums in it stays useful. */
function maskedCrc(data: Uint8Array): number {
  const c = crc32c(data);
  return (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0;
}

// ---- protocol buffers: a field is its number and wire type, then its value

const joined = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return Uint8Array.from(out);
}

const whole = (field: number, value: number): Uint8Array => joined([varint(field << 3), varint(value)]);
const bytes = (field: number, value: Uint8Array): Uint8Array =>
  joined([varint((field << 3) | 2), varint(value.length), value]);
const text = (field: number, value: string): Uint8Array => bytes(field, new TextEncoder().encode(value));
function double(field: number, value: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setFloat64(0, value, true);
  return joined([varint((field << 3) | 1), out]);
}
function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setFloat32(0, value, true);
  return joined([varint((field << 3) | 5), out]);
}
