/** @file What is said about a voice, as numbers: level, pitch, rate, pauses, voice quality. */
import { functionalsOf } from "../features/egemaps/functionals.ts";
import { rawDescriptors } from "../features/egemaps/descriptors.ts";
import { trackF0 } from "../features/f0.ts";
import { rmsLevel } from "../features/prosody-frames.ts";
import type { Samples } from "../features/spectra.ts";
import { countSyllableNuclei } from "./syllables.ts";

/** Names of the measures, with their units. */
export const VOICE_MEASURES = {
  duration: "s",
  loudness: "eGeMAPS loudness, mean",
  pitchLevel: "Hz, median",
  pitchVariation: "semitones, standard deviation",
  pitchRange: "semitones, 5th to 95th percentile",
  rate: "syllables per second of speech",
  pauses: "share of the clip between first and last speech",
  jitter: "share of the period",
  shimmer: "dB",
  harmonicity: "dB, harmonics to noise",
  brightness: "dB, energy of 1 to 5 kHz re that below (alpha ratio), voiced frames",
} as const;

/** One of {@link VOICE_MEASURES}. */
export type VoiceMeasure = keyof typeof VOICE_MEASURES;

/** Measures of one clip; `null` where the clip does not allow a reliable one. */
export type VoiceMeasures = { readonly [K in VoiceMeasure]: number | null };

/** Options of {@link measureVoice}. */
export interface MeasureOptions {
  /** Words spoken: their syllables (vowel groups) replace counted syllable nuclei in `rate`. */
  transcript?: string;
}

/** Least voiced frames (10 ms each) for pitch and voice quality. */
const LEAST_VOICED = 15;
/** Least seconds of speech for a rate, and least clip for pauses. */
const LEAST_SPEECH = 0.5;
/** Least seconds of speech for a loudness. */
const LEAST_LOUD = 0.1;
const LEAST_CLIP = 1;
/** Frames this far below the 95th percentile of the level are not speech, dB. */
const SPEECH_RANGE = 30;

const quantile = (sorted: readonly number[], q: number): number => {
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (at - Math.floor(at)) * ((sorted[Math.floor(at) + 1] ?? low) - low);
};

/** Vowel groups of a text, at least one per word: a syllable count good enough for a rate in most alphabetic scripts. */
export function syllablesOfText(text: string): number {
  const words =
    text
      .normalize("NFD")
      .toLowerCase()
      .match(/\p{L}[\p{L}\p{M}']*/gu) ?? [];
  return words.reduce((sum, word) => sum + Math.max(1, word.match(/[aeiouyæœøıаеёиоуыэюяαεηιουω]+/gu)?.length ?? 0), 0);
}

/**
 * Measures a mono clip.
 * @throws RangeError for no samples, samples that are not finite, a rate below 8 kHz.
 */
export function measureVoice(samples: Samples, sampleRate: number, options: MeasureOptions = {}): VoiceMeasures {
  const raw = rawDescriptors(samples, sampleRate);
  const functionals = functionalsOf(raw, samples);
  const track = trackF0(samples, sampleRate);
  const level = [...rmsLevel(samples, sampleRate, 0.01, 0.03)];
  const threshold = Math.max(
    -70,
    quantile(
      [...level].sort((a, b) => a - b),
      0.95,
    ) - SPEECH_RANGE,
  );
  const speech = level.map((db) => db > threshold);
  const first = speech.indexOf(true);
  const last = speech.lastIndexOf(true);
  const speechSeconds = speech.filter(Boolean).length / 100;
  const span = first < 0 ? 0 : (last - first + 1) / 100;

  const semitones = [...track.f0].flatMap((hz, t) => (hz > 0 && speech[t] === true ? [12 * Math.log2(hz / 100)] : []));
  semitones.sort((a, b) => a - b);
  const voiced = semitones.length >= LEAST_VOICED;
  const middle = voiced ? quantile(semitones, 0.5) : 0;
  const spread = Math.sqrt(semitones.reduce((sum, s) => sum + (s - middle) ** 2, 0) / Math.max(1, semitones.length));
  const quality = raw.pitch.f0.reduce((n, hz) => n + (hz > 0 ? 1 : 0), 0) >= LEAST_VOICED;
  const of = (name: string): number | null => (quality ? functionals.get(name)! : null);
  const syllables =
    options.transcript === undefined ? countSyllableNuclei(level, track.f0) : syllablesOfText(options.transcript);
  return {
    duration: samples.length / sampleRate,
    loudness: speechSeconds < LEAST_LOUD ? null : functionals.get("loudness_sma3_amean")!,
    pitchLevel: voiced ? 100 * 2 ** (middle / 12) : null,
    pitchVariation: voiced ? spread : null,
    pitchRange: voiced ? quantile(semitones, 0.95) - quantile(semitones, 0.05) : null,
    rate: speechSeconds >= LEAST_SPEECH && syllables > 0 ? syllables / speechSeconds : null,
    pauses: span >= LEAST_CLIP ? pauseShare(speech.slice(first, last + 1)) : null,
    jitter: of("jitterLocal_sma3nz_amean"),
    shimmer: of("shimmerLocaldB_sma3nz_amean"),
    harmonicity: of("HNRdBACF_sma3nz_amean"),
    brightness: of("alphaRatioV_sma3nz_amean"),
  };
}

/** Share of frames in silences of at least 150 ms: shorter ones are closures of stops. */
function pauseShare(speech: readonly boolean[]): number {
  let pauses = 0;
  let run = 0;
  for (const talking of speech) {
    if (!talking) run++;
    else {
      if (run >= 15) pauses += run;
      run = 0;
    }
  }
  return pauses / speech.length;
}
