export { encodeWav, WAV_ENCODINGS, type WavEncoding } from "./audio/encode-wav.ts";
export { assertSound, durationOf, frameCount, type Sound } from "./audio/sound.ts";
