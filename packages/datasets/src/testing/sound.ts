/** @file Small real sound for synthetic corpora: speech-like syllables that differ from seed to seed, and WAV files of them. */
import { seededRandom } from "../random.ts";

/** Mono samples in [-1, 1]: voiced syllables with a moving pitch and a changing spectrum, and short pauses. */
export function syllables(seed: number, seconds: number, sampleRate = 16000): Float32Array {
  const random = seededRandom(seed * 7919 + 17);
  const out = new Float32Array(Math.round(seconds * sampleRate));
  for (let at = 0; at < out.length;) {
    const length = Math.min(out.length - at, Math.round((0.12 + 0.18 * random()) * sampleRate));
    const pitch = 90 + 180 * random();
    const glide = (random() - 0.5) * 120;
    const amplitudes = Array.from({ length: 18 }, () => random() ** 2);
    const sum = amplitudes.reduce((a, b) => a + b, 0);
    let phase = random() * 6;
    for (let i = 0; i < length; i++) {
      const t = i / length;
      phase += (2 * Math.PI * (pitch + glide * t)) / sampleRate;
      let value = 0;
      for (let h = 0; h < amplitudes.length; h++) value += (amplitudes[h] as number) * Math.sin(phase * (h + 1));
      out[at + i] = 0.8 * (value / sum) * Math.sin(Math.PI * t) + 0.002 * (random() - 0.5);
    }
    at += length;
  }
  return out;
}

/** A 16-bit PCM WAV file of one or more channels of equal length. */
export function wavFile(channels: readonly Float32Array[], sampleRate = 16000): Buffer {
  const frames = channels[0]?.length ?? 0;
  const data = frames * channels.length * 2;
  const out = Buffer.alloc(44 + data);
  out.write("RIFF", 0, "latin1");
  out.writeUInt32LE(36 + data, 4);
  out.write("WAVEfmt ", 8, "latin1");
  out.writeUInt32LE(16, 16);
  out.writeUInt16LE(1, 20);
  out.writeUInt16LE(channels.length, 22);
  out.writeUInt32LE(sampleRate, 24);
  out.writeUInt32LE(sampleRate * channels.length * 2, 28);
  out.writeUInt16LE(channels.length * 2, 32);
  out.writeUInt16LE(16, 34);
  out.write("data", 36, "latin1");
  out.writeUInt32LE(data, 40);
  for (let i = 0; i < frames; i++)
    for (const [c, samples] of channels.entries())
      out.writeInt16LE(
        Math.max(-32768, Math.min(32767, Math.round((samples[i] ?? 0) * 32767))),
        44 + 2 * (i * channels.length + c),
      );
  return out;
}
