/** @file Takes packets out of an Ogg stream (RFC 3533), every page's checksum verified. The first logical stream is read, others are passed over. */
import { type ByteSource, decodeError } from "./source.ts";

/** A packet and what its page says about the time. */
export interface OggPacket {
  readonly bytes: Uint8Array;
  /** Samples up to the end of this packet, on the last packet that ends on a page; else undefined. */
  readonly granule?: number;
  /** Whether the page is flagged as the stream's last. */
  readonly last: boolean;
}

const CRC: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc >>> 0;
});

/** The page's checksum, computed as if its own four bytes were 0. */
export function pageCrc(page: Uint8Array): number {
  let crc = 0;
  for (let i = 0; i < page.length; i++)
    crc = ((crc << 8) ^ CRC[((crc >>> 24) ^ (i >= 22 && i < 26 ? 0 : page[i]!)) & 255]!) >>> 0;
  return crc;
}

/**
 * The packets of the first logical stream, in order.
 * @throws EmosllmError `audio_decode` naming the file and the page's byte.
 */
export function* oggPackets(source: ByteSource, bytes: Uint8Array): Generator<OggPacket> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let serial: number | undefined;
  let open: Uint8Array[] = [];
  for (let at = 0, next = 0; at < bytes.length; at = next) {
    if (at + 27 > bytes.length || view.getUint32(at) !== 0x4f676753)
      throw decodeError(source, `no Ogg page at byte ${at}`);
    let from = at + 27 + bytes[at + 26]!;
    const lacing = bytes.subarray(at + 27, from);
    next = from + lacing.reduce((sum, size) => sum + size, 0);
    if (next > bytes.length) throw decodeError(source, `ends within the Ogg page at byte ${at}`);
    if (pageCrc(bytes.subarray(at, next)) !== view.getUint32(at + 22, true))
      throw decodeError(source, `wrong checksum of the Ogg page at byte ${at}`);
    serial ??= view.getUint32(at + 14, true);
    if (view.getUint32(at + 14, true) !== serial) continue;
    const continued = (bytes[at + 5]! & 1) !== 0;
    const last = (bytes[at + 5]! & 4) !== 0;
    const granule = Number(view.getBigInt64(at + 6, true));
    const lastEnd = lacing.findLastIndex((size) => size < 255);
    if (!continued) open = [];
    for (const [i, size] of lacing.entries()) {
      open.push(bytes.subarray(from, from + size));
      from += size;
      if (size === 255) continue;
      const packet = open.length === 1 ? open[0]! : new Uint8Array(Buffer.concat(open));
      yield { bytes: packet, ...(i === lastEnd && granule >= 0 ? { granule } : {}), last };
      open = [];
    }
  }
}
