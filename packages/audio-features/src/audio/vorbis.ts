/** @file Decodes Ogg Vorbis with libvorbis (`@wasm-audio-decoders/ogg-vorbis`); pages are verified first. */
import type { OggVorbisDecodedAudio } from "@wasm-audio-decoders/ogg-vorbis";
import { collectBlocks, type BlockCollector } from "./blocks.ts";
import { oggPackets } from "./ogg.ts";
import type { TimeRange } from "./range.ts";
import type { Sound } from "./sound.ts";
import { type ByteSource, decodeError } from "./source.ts";

const CHUNK = 65_536;
/** Vorbis I, 4.3.9: the centre of three channels or more lies second, except in quadraphonic sound. */
const hasCentre = (channels: number): boolean => channels >= 3 && channels !== 4;

/** Decodes from the beginning up to the end of `range` (seconds). */
export async function decodeVorbis(source: ByteSource, range: TimeRange & { maxSamples: number }): Promise<Sound> {
  const { OggVorbisDecoder } = await import("@wasm-audio-decoders/ogg-vorbis");
  const bytes = await source.read(0, source.size);
  let granule: number | undefined;
  for (const packet of oggPackets(source, bytes)) granule = packet.granule ?? granule;
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  try {
    let blocks: BlockCollector | undefined;
    let channels = 0;
    const add = ({ channelData, samplesDecoded, sampleRate }: OggVorbisDecodedAudio): void => {
      // Before the first sound the decoder's channel count is not yet set.
      if (samplesDecoded === 0) return;
      channels ||= channelData.length;
      blocks ??= collectBlocks(source, { ...range, sampleRate, channels });
      blocks.add(channelData);
    };
    for (let at = 0; at < bytes.length && !blocks?.complete(); at += CHUNK)
      add(await decoder.decode(bytes.subarray(at, at + CHUNK)));
    if (!blocks?.complete()) add(await decoder.flush());
    if (!blocks) throw decodeError(source, "no Vorbis packet could be decoded");
    if (granule !== undefined) blocks.endAt(granule);
    return { ...blocks.sound(), ...(hasCentre(channels) ? { centre: 1 } : {}) };
  } finally {
    decoder.free();
  }
}
