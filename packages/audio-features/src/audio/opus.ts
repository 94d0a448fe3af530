/** @file Decodes Ogg Opus (RFC 7845) with libopus (`opus-decoder`): pre-skip, output gain and the end by granule position are kept. */
import { collectBlocks } from "./blocks.ts";
import { oggPackets } from "./ogg.ts";
import { quietly } from "./quietly.ts";
import type { TimeRange } from "./range.ts";
import type { Sound } from "./sound.ts";
import { type ByteSource, decodeError } from "./source.ts";

const RATE = 48_000;
/** Longest packet: 120 ms, and libopus's own bound on its bytes for a stream. */
const MAX_PACKET = { frames: 5760, bytes: 3840 } as const;
/** Vorbis channel order (mapping family 1): the centre of three channels or more lies second, except in quadraphonic sound. */
const hasCentre = (channels: number): boolean => channels >= 3 && channels !== 4;

interface OpusHead {
  readonly channels: number;
  readonly preSkip: number;
  readonly gain: number;
  readonly streams?: number;
  readonly coupled?: number;
  readonly mapping?: number[];
}

function readHead(source: ByteSource, head: Uint8Array): OpusHead {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 19 || view.getUint32(0) !== 0x4f707573)
    throw decodeError(source, "the first packet is no OpusHead");
  const channels = head[9]!;
  const family = head[18]!;
  const base = { channels, preSkip: view.getUint16(10, true), gain: 10 ** (view.getInt16(16, true) / 256 / 20) };
  if (channels === 0) throw decodeError(source, "OpusHead says 0 channels");
  if (family === 0) {
    if (channels > 2) throw decodeError(source, `OpusHead says ${channels} channels in mapping family 0 (1 or 2)`);
    return base;
  }
  if (family !== 1 || channels > 8 || head.length < 21 + channels)
    throw decodeError(
      source,
      `OpusHead says ${channels} channels in mapping family ${family} (read are families 0 and 1)`,
    );
  const [streams, coupled] = [head[19]!, head[20]!];
  const mapping = [...head.subarray(21, 21 + channels)];
  if (streams === 0 || coupled > streams || mapping.some((m) => m !== 255 && m >= streams + coupled))
    throw decodeError(source, `OpusHead maps channels ${mapping.join(" ")} to ${streams} streams, ${coupled} coupled`);
  return { ...base, streams, coupled, mapping };
}

/** Decodes from the beginning up to the end of `range` (seconds). */
export async function decodeOpus(source: ByteSource, range: TimeRange & { maxSamples: number }): Promise<Sound> {
  const { OpusDecoder } = await import("opus-decoder");
  const packets = oggPackets(source, await source.read(0, source.size));
  const first = packets.next();
  if (first.done) throw decodeError(source, "no Opus packet");
  const head = readHead(source, first.value.bytes);
  const decoder = new OpusDecoder({
    channels: head.channels,
    ...(head.mapping
      ? { streamCount: head.streams!, coupledStreamCount: head.coupled!, channelMappingTable: head.mapping }
      : {}),
  });
  await decoder.ready;
  try {
    packets.next(); // OpusTags
    const blocks = collectBlocks(source, { ...range, sampleRate: RATE, channels: head.channels, skip: head.preSkip });
    for (const packet of packets) {
      if (packet.bytes.length > MAX_PACKET.bytes * head.channels)
        throw decodeError(source, `an Opus packet of ${packet.bytes.length} bytes at ${blocks.time()} s`);
      const { channelData, errors } = quietly(() => decoder.decodeFrame(packet.bytes));
      if (errors.length > 0) throw decodeError(source, `${errors[0]!.message} at ${blocks.time()} s`);
      if (head.gain !== 1) for (const c of channelData) for (let i = 0; i < c.length; i++) c[i] = c[i]! * head.gain;
      blocks.add(channelData);
      if (packet.last && packet.granule !== undefined) blocks.endAt(packet.granule);
      if (blocks.complete()) break;
    }
    return { ...blocks.sound(), ...(hasCentre(head.channels) ? { centre: 1 } : {}) };
  } finally {
    decoder.free();
  }
}
