/** @file The ten speakers: who they are before they feel anything. Two to a session, a woman and a man. */

/** A synthetic speaker's neutral voice. */
export interface Speaker {
  /** Session and letter, e.g. `03F`. */
  readonly id: string;
  readonly session: number;
  readonly gender: "F" | "M";
  /** espeak-ng voice: the accent. */
  readonly voice: string;
  /** Mean F0 of a neutral sentence, Hz. */
  readonly f0: number;
  /** Span between the lowest and the highest F0 of a neutral sentence, semitones. */
  readonly span: number;
  /** Speaking rate, words per minute. */
  readonly rate: number;
  /** Formant frequencies in percent of espeak's own man: a shorter vocal tract is above 100. */
  readonly formants: readonly [number, number, number, number];
  /** Share of breath noise in the neutral voice, 0 to 1. */
  readonly breath: number;
  /** espeak's roughness of the neutral voice, 0 to 7. */
  readonly roughness: number;
  /** Treble of voice and microphone, dB above 1.2 kHz. */
  readonly treble: number;
}

const speaker = (
  id: string,
  voice: string,
  [f0, span, rate]: readonly [number, number, number],
  formants: Speaker["formants"],
  [breath, roughness, treble]: readonly [number, number, number],
): Speaker => ({
  id,
  session: Number(id.slice(0, 2)),
  gender: id.endsWith("F") ? "F" : "M",
  voice,
  f0,
  span,
  rate,
  formants,
  breath,
  roughness,
  treble,
});

/** In order of session. Not part of the seed: the same ten people speak in every demo corpus. */
export const SPEAKERS: readonly Speaker[] = [
  speaker("01F", "gmw/en-US", [204, 4.6, 188], [112, 112, 110, 112], [0.08, 0.5, 0]),
  speaker("01M", "gmw/en-US", [112, 4.2, 184], [98, 97, 99, 98], [0.04, 1, -1]),
  speaker("02F", "gmw/en-GB-x-rp", [190, 5.0, 182], [108, 111, 107, 110], [0.12, 0.3, 0.8]),
  speaker("02M", "gmw/en-US-nyc", [101, 4.0, 192], [93, 94, 95, 94], [0.02, 1.6, -1.6]),
  speaker("03F", "gmw/en-US", [214, 5.0, 186], [114, 114, 112, 113], [0.05, 0.2, 0.5]),
  speaker("03M", "gmw/en", [122, 4.6, 186], [101, 100, 102, 101], [0.06, 0.6, 0.4]),
  speaker("04F", "gmw/en-US-nyc", [184, 4.2, 180], [106, 107, 108, 106], [0.15, 1.2, -0.8]),
  speaker("04M", "gmw/en-029", [107, 4.4, 182], [96, 99, 97, 96], [0.1, 0.8, -0.4]),
  speaker("05F", "gmw/en-GB-x-gbclan", [208, 4.8, 185], [113, 110, 113, 112], [0.07, 0.6, 0.5]),
  speaker("05M", "gmw/en-US", [117, 4.3, 190], [99, 95, 98, 97], [0.05, 0.9, -1.2]),
];
