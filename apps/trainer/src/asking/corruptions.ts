/** @file The corruptions of `emosllm probe --corruptions`: `noise:20,10,5,0 reverb:0.4,0.8 telephone wer:0.1,0.3`. */
import { type Corruption } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";

/** One corruption at one severity: of the sound, or of the transcript. */
export interface Severity {
  readonly corruption: string;
  /** null where there is one severity only */
  readonly value: number | null;
  /** dB, s, ... */
  readonly unit: string;
  readonly sound: readonly Corruption[];
  /** Word error rate of the transcript. */
  readonly wer: number;
}

interface Kind {
  readonly unit: string;
  readonly accepted: string;
  readonly check: (value: number) => boolean;
  readonly sound: (value: number) => readonly Corruption[];
}
/** A living room with the speaker two metres from the microphone. */
const ROOM = { size: [6, 4.5, 2.8], source: [1.5, 2, 1.5], microphone: [3.4, 2.4, 1.2] } as const;

const KINDS: Readonly<Record<string, Kind>> = {
  noise: {
    unit: "dB",
    accepted: "signal-to-noise ratios in dB",
    check: (v) => v >= -30 && v <= 80,
    sound: (snr) => [{ type: "noise", kind: "pink", snr }],
  },
  reverb: {
    unit: "s",
    accepted: "reverberation times in s, above 0.1 and up to 3",
    check: (v) => v > 0.1 && v <= 3,
    sound: (rt60) => [{ type: "room", ...ROOM, rt60 }],
  },
  clipping: {
    unit: "dB",
    accepted: "dB below the peak, 0 to 60",
    check: (v) => v >= 0 && v <= 60,
    sound: (dB) => [{ type: "clipping", dB }],
  },
  wer: { unit: "", accepted: "word error rates, 0 to 1", check: (v) => v >= 0 && v <= 1, sound: () => [] },
};
/** Those without a severity. */
const PLAIN: Readonly<Record<string, readonly Corruption[]>> = { telephone: [{ type: "telephone" }] };

/** Reads words such as `noise:20,10`. Throws EmosllmError `usage` naming the word and what is accepted. */
export function readCorruptions(words: readonly string[]): Severity[] {
  const names = [...Object.keys(KINDS).map((k) => `${k}:V,...`), ...Object.keys(PLAIN)].join(" ");
  return words.flatMap((word): Severity[] => {
    const [name = "", list] = word.split(":");
    const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
    if (plain && list === undefined) return [{ corruption: name, value: null, unit: "", sound: plain, wer: 0 }];
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (!kind || list === undefined || list.trim() === "")
      throw new EmosllmError("usage", `--corruptions ${word}: expected ${names}`);
    return list.split(",").map((item) => {
      const value = Number(item);
      if (item.trim() === "" || !Number.isFinite(value) || !kind.check(value))
        throw new EmosllmError("usage", `--corruptions ${word}: '${item}' is not one of ${kind.accepted}`);
      return { corruption: name, value, unit: kind.unit, sound: kind.sound(value), wer: name === "wer" ? value : 0 };
    });
  });
}
