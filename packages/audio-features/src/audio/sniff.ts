/** @file Tells an audio format by its first bytes; a file's name is never asked. */

/** Containers and streams that are told apart. */
export const AUDIO_FORMATS = [
  "wav",
  "flac",
  "mp3",
  "ogg-vorbis",
  "ogg-opus",
  "ogg-other",
  "aac",
  "mp4",
  "matroska",
  "aiff",
  "amr",
  "au",
  "caf",
] as const;
/** One of {@link AUDIO_FORMATS}. */
export type AudioFormat = (typeof AUDIO_FORMATS)[number];

/** Bytes that {@link sniffFormat} wants to see. */
export const SNIFF_BYTES = 64;

const ascii = (bytes: Uint8Array, at: number, text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
};

/** Ogg's first packet says what is inside; it starts after the page header's segment table. */
function oggKind(bytes: Uint8Array): AudioFormat {
  const packet = 27 + (bytes[26] ?? 0);
  if (ascii(bytes, packet, "\x01vorbis")) return "ogg-vorbis";
  return ascii(bytes, packet, "OpusHead") ? "ogg-opus" : "ogg-other";
}

/** An MPEG audio frame header: 11 sync bits and no reserved value (ISO/IEC 11172-3, 2.4.1.3); layer 0 is ADTS AAC. */
function mpegKind(bytes: Uint8Array): AudioFormat | undefined {
  const [a = 0, b = 0, c = 0] = bytes;
  if (a !== 0xff || (b & 0xe0) !== 0xe0) return undefined;
  if ((b & 0xf6) === 0xf0) return ((c >> 2) & 15) < 13 ? "aac" : undefined;
  const valid = ((b >> 3) & 3) !== 1 && ((b >> 1) & 3) !== 0 && c >> 4 !== 15 && ((c >> 2) & 3) !== 3;
  return valid ? "mp3" : undefined;
}

const RULES: readonly (readonly [AudioFormat, (bytes: Uint8Array) => boolean])[] = [
  ["wav", (b) => (ascii(b, 0, "RIFF") || ascii(b, 0, "RF64") || ascii(b, 0, "BW64")) && ascii(b, 8, "WAVE")],
  ["flac", (b) => ascii(b, 0, "fLaC")],
  ["mp4", (b) => ascii(b, 4, "ftyp") || ascii(b, 4, "moov") || ascii(b, 4, "mdat")],
  ["matroska", (b) => b[0] === 0x1a && b[1] === 0x45 && b[2] === 0xdf && b[3] === 0xa3],
  ["aiff", (b) => ascii(b, 0, "FORM") && (ascii(b, 8, "AIFF") || ascii(b, 8, "AIFC"))],
  ["amr", (b) => ascii(b, 0, "#!AMR")],
  ["au", (b) => ascii(b, 0, ".snd")],
  ["caf", (b) => ascii(b, 0, "caff")],
];

/** The format that `bytes` (the first {@link SNIFF_BYTES} or more of a file) begins, or undefined. ID3v2 tags must be skipped before. */
export function sniffFormat(bytes: Uint8Array): AudioFormat | undefined {
  if (ascii(bytes, 0, "OggS")) return oggKind(bytes);
  return RULES.find(([, matches]) => matches(bytes))?.[0] ?? mpegKind(bytes);
}

/** Length of an ID3v2 tag at the beginning (0 without one): 10 bytes, the size in 4 x 7 bits, and a footer if flagged. */
export function id3Length(bytes: Uint8Array): number {
  if (!ascii(bytes, 0, "ID3") || bytes.length < 10) return 0;
  const [a, b, c, d] = bytes.subarray(6, 10) as unknown as [number, number, number, number];
  return 10 + (((a & 127) << 21) | ((b & 127) << 14) | ((c & 127) << 7) | (d & 127)) + (bytes[5]! & 0x10 ? 10 : 0);
}
