/**
 * @file Where speech is: two detectors that need no model. `energy` compares each frame's level with the clip's own floor and
 * peak; `spectral` is the long-term spectral divergence of Ramirez et al. (2004), which finds speech that is no louder than
 * the noise but differs from it in spectrum.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { realFft } from "../features/fft.ts";
import { windowFunction } from "../features/window.ts";

/** A stretch of speech, in seconds. */
export interface SpeechSegment {
  readonly start: number;
  readonly end: number;
}

/** Settings of {@link detectSpeech}. */
export interface VadOptions {
  /** `energy` (default) or `spectral`. */
  readonly method?: "energy" | "spectral";
  /** dB above the noise that count as speech: 7 of level, 3 of long-term spectral divergence. */
  readonly threshold?: number;
  /** Shorter stretches of speech are dropped, in seconds. */
  readonly minSpeech?: number;
  /** Shorter pauses are filled, in seconds. */
  readonly minPause?: number;
  /** Seconds added at each side of a segment. */
  readonly padding?: number;
}

const FRAME_SECONDS = 0.025;
const HOP_SECONDS = 0.01;
/** Share of the quietest frames that is taken to be noise. */
const NOISE_SHARE = 0.1;
/** Frames this far below the loudest are never speech, in dB: keeps a clean clip's reverberation tail out. */
const RANGE_DB = 45;
const SILENCE_DB = -90;
/** Frames at each side over which the divergence takes the spectrum's maximum. */
const LONG_TERM = 3;
/** Noise above this is not compared: speech has little to show there. */
const SPEECH_HZ = 8000;
const THRESHOLDS = { energy: 7, spectral: 3 } as const;

/** Level in dB, and for each bin the log power where asked, of every frame. */
interface Frames {
  readonly count: number;
  readonly level: Float64Array;
}

const hopOf = (sampleRate: number): number => Math.round(HOP_SECONDS * sampleRate);
const sizeOf = (sampleRate: number): number => Math.round(FRAME_SECONDS * sampleRate);

function frameLevels(samples: Float32Array, sampleRate: number): Frames {
  const size = sizeOf(sampleRate);
  const hop = hopOf(sampleRate);
  const count = samples.length < size ? 0 : 1 + Math.floor((samples.length - size) / hop);
  const level = Float64Array.from({ length: count }, (_, t) => {
    let sum = 0;
    for (let i = t * hop; i < t * hop + size; i++) sum += samples[i]! * samples[i]!;
    return Math.max(-120, 10 * Math.log10(sum / size));
  });
  return { count, level };
}

const quantile = (values: Float64Array, share: number): number =>
  values.toSorted()[Math.floor(share * (values.length - 1))]!;

/** Magnitude spectra, `[frames, bins]`. */
function spectra(samples: Float32Array, sampleRate: number, count: number): { bins: number; data: Float32Array } {
  const size = sizeOf(sampleRate);
  const hop = hopOf(sampleRate);
  const plan = realFft(2 ** Math.ceil(Math.log2(size)));
  const { lanes, bins, input, re } = plan;
  const window = windowFunction("hann", size);
  const data = new Float32Array(count * bins);
  input.fill(0);
  for (let t = 0; t < count; t += lanes) {
    for (let lane = 0; lane < lanes; lane++)
      for (let i = 0; i < size; i++) input[i * lanes + lane] = (samples[(t + lane) * hop + i] ?? 0) * window[i]!;
    plan.runPower();
    for (let lane = 0; lane < lanes && t + lane < count; lane++)
      for (let k = 0; k < bins; k++) data[(t + lane) * bins + k] = Math.sqrt(re[k * lanes + lane]!);
  }
  return { bins, data };
}

function divergence(samples: Float32Array, sampleRate: number, { count, level }: Frames): Float64Array {
  const { bins, data } = spectra(samples, sampleRate, count);
  const last = Math.min(bins - 1, Math.round((SPEECH_HZ / sampleRate) * 2 * (bins - 1)));
  const noiseLevel = quantile(level, NOISE_SHARE);
  const noise = new Float64Array(bins);
  let quiet = 0;
  for (let t = 0; t < count; t++) {
    if (level[t]! > noiseLevel) continue;
    quiet++;
    for (let k = 0; k < bins; k++) noise[k]! += data[t * bins + k]! ** 2;
  }
  const floor = 1e-12;
  return Float64Array.from({ length: count }, (_, t) => {
    let sum = 0;
    for (let k = 1; k <= last; k++) {
      let envelope = 0;
      for (let s = Math.max(0, t - LONG_TERM); s <= Math.min(count - 1, t + LONG_TERM); s++)
        envelope = Math.max(envelope, data[s * bins + k]!);
      sum += envelope ** 2 / (noise[k]! / quiet + floor);
    }
    return 10 * Math.log10(sum / last + floor);
  });
}

/** Whether each frame is speech. */
function decide(
  samples: Float32Array,
  sampleRate: number,
  method: "energy" | "spectral",
  threshold: number,
): boolean[] {
  const frames = frameLevels(samples, sampleRate);
  if (frames.count === 0) return [];
  const audible = Math.max(SILENCE_DB, frames.level.reduce((a, b) => Math.max(a, b)) - RANGE_DB);
  if (method === "energy") {
    const floor = quantile(frames.level, NOISE_SHARE);
    return Array.from(frames.level, (level) => level > floor + threshold && level > audible);
  }
  const values = divergence(samples, sampleRate, frames);
  // Noise alone has a divergence too, because the envelope takes maxima; the quietest frames say how large it is.
  const base = quantile(values, NOISE_SHARE);
  return Array.from(values, (value, t) => value > base + threshold && frames.level[t]! > audible);
}

/**
 * Segments of `samples` (one channel) that hold speech, in order and apart from each other. The clip must hold some
 * noise or silence besides (a tenth of it), which is where the floor is measured.
 * @throws EmosllmError `usage` for a sample rate that is not positive.
 */
export function detectSpeech(samples: Float32Array, sampleRate: number, options: VadOptions = {}): SpeechSegment[] {
  const { method = "energy", minSpeech = 0.1, minPause = 0.2, padding = 0 } = options;
  if (!(sampleRate > 0)) throw new EmosllmError("usage", `sample rate ${sampleRate} Hz is not positive`);
  const speech = decide(samples, sampleRate, method, options.threshold ?? THRESHOLDS[method]);
  const hop = hopOf(sampleRate) / sampleRate;
  const middle = FRAME_SECONDS / 2;
  const runs: { start: number; end: number }[] = [];
  speech.forEach((is, t) => {
    if (!is) return;
    const [start, end] = [t * hop + middle - hop / 2, t * hop + middle + hop / 2];
    const previous = runs.at(-1);
    if (previous && start - previous.end < minPause) previous.end = end;
    else runs.push({ start, end });
  });
  const duration = samples.length / sampleRate;
  const segments: { start: number; end: number }[] = [];
  for (const run of runs.filter(({ start, end }) => end - start >= minSpeech)) {
    const start = Math.max(0, run.start - padding);
    const end = Math.min(duration, run.end + padding);
    const previous = segments.at(-1);
    if (previous && start <= previous.end) previous.end = end;
    else segments.push({ start, end });
  }
  return segments;
}
