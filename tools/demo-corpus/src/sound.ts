/** @file From a clean synthetic voice to a recording: vocal effort, shaking, room, noise, gain. */
import type { Cues } from "./emotions.ts";
import type { Random } from "./random.ts";
import type { Speaker } from "./speakers.ts";

/** Samples per second of the corpus. */
export const SAMPLE_RATE = 16_000;

const rms = (samples: Float32Array): number => {
  let sum = 0;
  for (const x of samples) sum += x * x;
  return Math.sqrt(sum / Math.max(1, samples.length));
};

const decibels = (db: number): number => 10 ** (db / 20);

/** Without the silence around the speech (below -50 dB of the peak). */
function trimmed(samples: Float32Array): Float32Array {
  let peak = 0;
  for (const x of samples) peak = Math.max(peak, Math.abs(x));
  const threshold = peak * 0.003;
  let start = 0;
  let end = samples.length;
  while (start < end && Math.abs(samples[start]!) < threshold) start++;
  while (end > start && Math.abs(samples[end - 1]!) < threshold) end--;
  return samples.slice(start, end);
}

/** Raises or lowers everything above 1.2 kHz by `db`: a first-order high shelf, in place. */
function highShelf(samples: Float32Array, db: number): void {
  const gain = decibels(db);
  const pole = Math.exp((-2 * Math.PI * 1200) / SAMPLE_RATE);
  let low = 0;
  for (let n = 0; n < samples.length; n++) {
    const x = samples[n]!;
    low = (1 - pole) * x + pole * low;
    samples[n] = low + gain * (x - low);
  }
}

/** A strained voice has more overtones: soft saturation that keeps the level of small samples, in place. */
function saturate(samples: Float32Array, drive: number): void {
  if (drive <= 0) return;
  const scale = (1 + drive) / (4 * rms(samples) + 1e-9);
  for (let n = 0; n < samples.length; n++) samples[n] = Math.tanh(samples[n]! * scale) / scale;
}

/** Loudness that shakes at 4 to 7 Hz, in place. */
function shake(samples: Float32Array, depth: number, random: Random): void {
  const rate = random.between(4, 7);
  const phase = random.between(0, 2 * Math.PI);
  for (let n = 0; n < samples.length; n++)
    samples[n]! *= 1 + depth * Math.sin((2 * Math.PI * rate * n) / SAMPLE_RATE + phase);
}

/** A small room: a few early reflections and a little of a decaying tail, the same for a whole session. */
function room(samples: Float32Array, session: number): Float32Array {
  const delays = [7, 13, 19, 29, 37].map((ms) => Math.round(((ms + session * 1.7) * SAMPLE_RATE) / 1000));
  const out = Float32Array.from(samples);
  for (const [i, delay] of delays.entries()) {
    const gain = (i % 2 === 0 ? 0.12 : -0.09) * 0.8 ** i;
    for (let n = delay; n < out.length; n++) out[n]! += gain * samples[n - delay]!;
  }
  return out;
}

/** Noise whose spectrum falls by about 3 dB per octave, with RMS 1 (Kellet's three-pole pink filter, mixed with white). */
function noise(length: number, random: Random): Float32Array {
  const out = new Float32Array(length);
  const white = random.between(0.05, 0.5);
  let b0 = 0;
  let b1 = 0;
  let b2 = 0;
  for (let n = 0; n < length; n++) {
    // Uniform is as good as normal here: the filter sums many of them.
    const w = random.uniform() - 0.5;
    b0 = 0.99765 * b0 + w * 0.099046;
    b1 = 0.963 * b1 + w * 0.2965164;
    b2 = 0.57 * b2 + w * 1.0526913;
    out[n] = b0 + b1 + b2 + white * w;
  }
  const scale = 1 / rms(out);
  for (let n = 0; n < length; n++) out[n]! *= scale;
  return out;
}

/**
 * The recording of one clip: `speech` at 16 kHz in, 16-bit samples out. The level of the file is drawn apart from the cues (a recordist
 * sets it), so loudness shows only in treble, overtones and distance from the noise, as in a normalised real recording.
 */
export function record(speech: Float32Array, speaker: Speaker, cues: Cues, random: Random): Int16Array {
  const voice = trimmed(speech);
  highShelf(voice, 0.9 * cues.effort + speaker.treble + 0.8 * random.normal());
  saturate(voice, Math.max(0, cues.effort - 2) * 0.12);
  shake(voice, Math.min(0.45, Math.max(0, cues.tremor) * 0.5), random);

  const before = Math.round(random.between(0.06, 0.32) * SAMPLE_RATE);
  const after = Math.round(random.between(0.08, 0.36) * SAMPLE_RATE);
  const padded = new Float32Array(before + voice.length + after);
  padded.set(voice, before);
  const wet = room(padded, speaker.session);

  const level = decibels(random.between(-33, -20)) / (rms(voice) + 1e-9);
  const signalToNoise = random.between(20, 36) + 0.5 * cues.effort;
  const floor = noise(wet.length, random);
  const floorLevel = rms(voice) * decibels(-signalToNoise);
  const out = new Int16Array(wet.length);
  let peak = 0;
  for (let n = 0; n < wet.length; n++) {
    wet[n] = level * (wet[n]! + floorLevel * floor[n]!);
    peak = Math.max(peak, Math.abs(wet[n]!));
  }
  const limit = peak > 0.97 ? 0.97 / peak : 1;
  for (let n = 0; n < wet.length; n++) out[n] = Math.round(wet[n]! * limit * 32767);
  return out;
}
