/** @file Whisper's log-mel spectrogram, as openai/whisper `log_mel_spectrogram` and transformers' WhisperFeatureExtractor compute it. */
import { whisperScale } from "./_blocks32.ts";
import { numbered, type FeatureFrames } from "./feature-frames.ts";
import { sharedFilterbank } from "./mel.ts";
import { logMelRows } from "./mel-rows.ts";
import { assertSamples, type MelFrames, type Samples } from "./spectra.ts";
import { sharedWindow } from "./window.ts";

/** Options of {@link logMel}; the defaults are Whisper's. */
export interface LogMelOptions {
  /** 80 (Whisper up to large-v2) or 128 (large-v3). Default 80. */
  melBins?: number;
  /** Zeros are appended, or the end is cut off, so that the clip lasts this long; `null` leaves it. Default 30. */
  padSeconds?: number | null;
}

const SAMPLE_RATE = 16000;
export const FFT = 400;
export const HOP = 160;
const FLOOR = 1e-10;

/**
 * `[frames, melBins]` log-mel energies, floored 8 decades below the loudest and mapped to about -1 to 1; 100 frames per second.
 * @param samples Mono, 16 kHz.
 * @throws RangeError for no samples, a sample that is not finite, or another sample rate.
 */
export function logMel(samples: Samples, sampleRate: number = SAMPLE_RATE, options: LogMelOptions = {}): FeatureFrames {
  const { melBins = 80, padSeconds = 30 } = options;
  assertWhisperRate(sampleRate);
  assertSamples(samples, sampleRate);
  const length = paddedLength(samples.length, padSeconds);
  const used = samples.length > length ? samples.subarray(0, length) : samples;
  const padded = used.length === length ? used : new Float32Array(length);
  if (padded !== used) padded.set(used);
  // the frame after the last hop is computed by the STFT and dropped by Whisper
  const frames = Math.floor(length / HOP);
  const data = new Float32Array(frames * melBins);
  const loudest = logMelRows(padded, soundingFrames(used.length, length), rowSettings(melBins), data);
  return finished(data, melBins, loudest, used.length, length);
}

export function assertWhisperRate(sampleRate: number): void {
  if (sampleRate !== SAMPLE_RATE)
    throw new RangeError(`Whisper's log-mel is defined at 16000 Hz, not ${sampleRate} Hz`);
}

/** Samples of a clip of `samples` once it is padded or cut. */
export function paddedLength(samples: number, padSeconds: number | null): number {
  return padSeconds === null ? samples : Math.round(padSeconds * SAMPLE_RATE);
}

/** Frames of a clip of `used` samples padded to `length` before the first that holds nothing but appended zeros. */
export function soundingFrames(used: number, length: number): number {
  const frames = Math.floor(length / HOP);
  return length - used > FFT ? Math.min(frames, Math.ceil((used + FFT / 2) / HOP)) : frames;
}

/** Settings of `logMelRows`: frame `t` is centred at sample `t * HOP`. */
export function rowSettings(melBins: number): Required<MelFrames> {
  const scale = { scale: "slaney", linearIn: "hz", norm: "slaney" } as const;
  return {
    fftSize: FFT,
    window: sharedWindow("hann", FFT),
    hop: HOP,
    offset: -FFT / 2,
    bank: sharedFilterbank({ sampleRate: SAMPLE_RATE, fftSize: FFT, melBins, fMin: 0, fMax: 8000, ...scale }),
    log: { floor: FLOOR, scale: Math.LOG10E },
  };
}

/** Rows `[frames, melBins]` as Whisper wants them; those after {@link soundingFrames} are filled in. In place. */
export function finished(
  data: Float32Array,
  melBins: number,
  loudest: number,
  used: number,
  length: number,
): FeatureFrames {
  const silence = Math.log10(FLOOR);
  data.fill(silence, soundingFrames(used, length) * melBins);
  const floor = Math.max(loudest, silence) - 8;
  whisperScale(data, floor);
  return { data, ...frameTimes(data.length / melBins, melBins) };
}

/** All of the features' description but the numbers; `first` is the index of the first frame. */
export function frameTimes(frames: number, melBins: number, first = 0): Omit<FeatureFrames, "data"> {
  const hopSeconds = HOP / SAMPLE_RATE;
  return {
    frames,
    features: melBins,
    names: numbered("log_mel", melBins),
    startSeconds: first * hopSeconds,
    hopSeconds,
  };
}
