/** @file Decodes MPEG audio (ISO/IEC 11172-3, 13818-3) with mpg123 (`mpg123-decoder`), without the encoder's delay and padding where the file tells them. */
import { collectBlocks, type BlockCollector } from "./blocks.ts";
import { quietly } from "./quietly.ts";
import type { TimeRange } from "./range.ts";
import { id3Length } from "./sniff.ts";
import type { Sound } from "./sound.ts";
import { type ByteSource, decodeError } from "./source.ts";

const CHUNK = 16_384;
const MONO = 3;

/** Decodes from the beginning up to the end of `range` (seconds). */
export async function decodeMp3(source: ByteSource, range: TimeRange & { maxSamples: number }): Promise<Sound> {
  const { MPEGDecoder } = await import("mpg123-decoder");
  const tag = id3Length(await source.read(0, 10));
  const head = await source.read(tag, 4);
  // The decoder always gives two channels; the header's mode says whether the file has them.
  const channels = (head[3] ?? 0) >> 6 === MONO ? 1 : 2;
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    let blocks: BlockCollector | undefined;
    let rate = 0;
    for (let at = tag; at < source.size && !blocks?.complete(); at += CHUNK) {
      const bytes = await source.read(at, CHUNK);
      const { channelData, samplesDecoded, sampleRate, errors } = quietly(() => decoder.decode(bytes));
      const place = `before byte ${at + bytes.length}`;
      if (errors.length > 0) throw decodeError(source, `mpg123 error ${errors[0]!.message} ${place}`);
      if (samplesDecoded === 0) continue;
      blocks ??= collectBlocks(source, { ...range, sampleRate, channels });
      if (rate !== 0 && rate !== sampleRate)
        throw decodeError(source, `changes from ${rate} to ${sampleRate} Hz ${place}`);
      rate = sampleRate;
      blocks.add(channelData.slice(0, channels));
    }
    if (!blocks) throw decodeError(source, "no MPEG audio frame could be decoded");
    return blocks.sound();
  } finally {
    decoder.free();
  }
}
