/** @file Whisper's log-mel spectrogram, as openai/whisper `log_mel_spectrogram` and transformers' WhisperFeatureExtractor compute it. */
import { numbered, type FeatureFrames } from "./feature-frames.ts";
import { sharedFilterbank } from "./mel.ts";
import { LANES, assertSamples, forEachMel, reflectPad, type Samples } from "./spectra.ts";
import { sharedWindow } from "./window.ts";

/** Options of {@link logMel}; the defaults are Whisper's. */
export interface LogMelOptions {
  /** 80 (Whisper up to large-v2) or 128 (large-v3). Default 80. */
  melBins?: number;
  /** Zeros are appended, or the end is cut off, so that the clip lasts this long; `null` leaves it. Default 30. */
  padSeconds?: number | null;
}

const SAMPLE_RATE = 16000;
const FFT = 400;
const HOP = 160;
const FLOOR = 1e-10;

/**
 * `[frames, melBins]` log-mel energies, floored 8 decades below the loudest and mapped to about -1 to 1; 100 frames per second.
 * @param samples Mono, 16 kHz.
 * @throws RangeError for no samples, a sample that is not finite, or another sample rate.
 */
export function logMel(samples: Samples, sampleRate: number = SAMPLE_RATE, options: LogMelOptions = {}): FeatureFrames {
  const { melBins = 80, padSeconds = 30 } = options;
  if (sampleRate !== SAMPLE_RATE)
    throw new RangeError(`Whisper's log-mel is defined at 16000 Hz, not ${sampleRate} Hz`);
  assertSamples(samples, sampleRate);
  const length = padSeconds === null ? samples.length : Math.round(padSeconds * SAMPLE_RATE);
  const used = samples.length > length ? samples.subarray(0, length) : samples;
  const padded = used.length === length ? used : new Float32Array(length);
  if (padded !== used) padded.set(used);
  const signal = reflectPad(padded, FFT / 2);
  // the frame after the last hop is computed by the STFT and dropped by Whisper
  const frames = Math.floor(length / HOP);
  // from here on a frame holds nothing but appended zeros
  const silentFrom = length - used.length > FFT ? Math.min(frames, Math.ceil((used.length + FFT / 2) / HOP)) : frames;
  const bank = sharedFilterbank({
    sampleRate,
    fftSize: FFT,
    melBins,
    fMin: 0,
    fMax: 8000,
    scale: "slaney",
    linearIn: "hz",
    norm: "slaney",
  });
  const data = new Float32Array(frames * melBins);
  let loudest = Math.log10(FLOOR);
  const settings = {
    fftSize: FFT,
    window: sharedWindow("hann", FFT),
    hop: HOP,
    offset: 0,
    bank,
    log: { floor: FLOOR, scale: Math.LOG10E },
  };
  forEachMel(signal, silentFrom, settings, (first, count, mel) => {
    for (let l = 0; l < count; l++)
      for (let m = 0, at = (first + l) * melBins; m < melBins; m++, at++) {
        const value = mel[m * LANES + l]!;
        if (value > loudest) loudest = value;
        data[at] = value;
      }
  });
  data.fill(Math.log10(FLOOR), silentFrom * melBins);
  const floor = loudest - 8;
  for (let i = 0; i < data.length; i++) data[i] = (Math.max(floor, data[i]!) + 4) / 4;
  return {
    data,
    frames,
    features: melBins,
    names: numbered("log_mel", melBins),
    startSeconds: 0,
    hopSeconds: HOP / SAMPLE_RATE,
  };
}
