/** @file Writes protocol buffers (proto2 wire format): the three wire types that ONNX models use, nothing else. */

/** A growing message. */
export interface Message {
  bytes: Uint8Array;
  length: number;
}

export const message = (): Message => ({ bytes: new Uint8Array(256), length: 0 });
export const finish = (m: Message): Uint8Array => m.bytes.subarray(0, m.length);

function room(m: Message, n: number): void {
  if (m.length + n <= m.bytes.length) return;
  const grown = new Uint8Array(Math.max(m.bytes.length * 2, m.length + n));
  grown.set(m.bytes.subarray(0, m.length));
  m.bytes = grown;
}

function varint(m: Message, value: number | bigint): void {
  room(m, 10);
  if (typeof value === "number" && value >= 0 && value < 0x80000000) {
    let v = value;
    for (; v > 127; v >>>= 7) m.bytes[m.length++] = (v & 127) | 128;
    m.bytes[m.length++] = v;
    return;
  }
  let v = BigInt.asUintN(64, BigInt(value));
  for (; v > 127n; v >>= 7n) m.bytes[m.length++] = Number(v & 127n) | 128;
  m.bytes[m.length++] = Number(v);
}

/** A whole number (int32, int64, enum); negative ones take ten bytes. */
export function int(m: Message, field: number, value: number | bigint): void {
  varint(m, field << 3);
  varint(m, value);
}

/** A 32-bit float. */
export function float(m: Message, field: number, value: number): void {
  varint(m, (field << 3) | 5);
  room(m, 4);
  new DataView(m.bytes.buffer, m.bytes.byteOffset).setFloat32(m.length, value, true);
  m.length += 4;
}

export function bytes(m: Message, field: number, value: Uint8Array): void {
  varint(m, (field << 3) | 2);
  varint(m, value.length);
  room(m, value.length);
  m.bytes.set(value, m.length);
  m.length += value.length;
}

const encoder = new TextEncoder();
export const text = (m: Message, field: number, value: string): void => bytes(m, field, encoder.encode(value));
export const nested = (m: Message, field: number, value: Message): void => bytes(m, field, finish(value));
