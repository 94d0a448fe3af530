/** @file A small real mp4 with an uncompressed sound track, as small as ISO 14496-12 and QuickTime's `sowt` coding allow. */

const u32 = (...values: readonly number[]): Buffer => {
  const out = Buffer.alloc(values.length * 4);
  for (const [i, v] of values.entries()) out.writeUInt32BE(v, i * 4);
  return out;
};
const ascii = (text: string): Buffer => Buffer.from(text, "latin1");
const u16 = (...values: readonly number[]): Buffer => {
  const out = Buffer.alloc(values.length * 2);
  for (const [i, v] of values.entries()) out.writeUInt16BE(v, i * 2);
  return out;
};
const box = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(8 + body.length), ascii(type), body]);
};
/** Rows of the identity matrix in 16.16 and 2.30 fixed point. */
const MATRIX = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

/** An mp4 of 16-bit sound; channels are of equal length. */
export function mp4File(channels: readonly Float32Array[], sampleRate = 16000): Buffer {
  const frames = channels[0]?.length ?? 0;
  const width = channels.length * 2;
  const samples = Buffer.alloc(frames * width);
  for (let i = 0; i < frames; i++)
    for (const [c, channel] of channels.entries())
      samples.writeInt16LE(Math.round(Math.max(-1, Math.min(1, channel[i] ?? 0)) * 32767), i * width + c * 2);
  const head = box("ftyp", ascii("qt  "), u32(0x200), ascii("qt  isom"));
  const data = box("mdat", samples);
  const entry = box(
    "sowt",
    u32(0),
    u16(0, 1), // reserved, data reference
    u32(0, 0), // version 0
    u16(channels.length, 16, 0, 0),
    u32(sampleRate * 0x10000),
  );
  const table = box(
    "stbl",
    box("stsd", u32(0, 1), entry),
    box("stts", u32(0, 1, frames, 1)),
    box("stsc", u32(0, 1, 1, frames, 1)),
    box("stsz", u32(0, width, frames)),
    box("stco", u32(0, 1, head.length + 8)),
  );
  const references = box("dinf", box("dref", u32(0, 1), box("url ", u32(1))));
  const media = box(
    "mdia",
    box("mdhd", u32(0, 0, 0, sampleRate, frames), u16(0x55c4, 0)),
    box("hdlr", u32(0, 0), ascii("soun"), u32(0, 0, 0), Buffer.from([0])),
    box("minf", box("smhd", u32(0, 0)), references, table),
  );
  const track = box("trak", box("tkhd", u32(7, 0, 0, 1, 0, frames, 0, 0, 0), u16(0x0100, 0), MATRIX, u32(0, 0)), media);
  const header = box(
    "mvhd",
    u32(0, 0, 0, sampleRate, frames, 0x10000),
    u16(0x0100, 0),
    u32(0, 0),
    MATRIX,
    u32(0, 0, 0, 0, 0, 0, 2),
  );
  return Buffer.concat([head, data, box("moov", header, track)]);
}
