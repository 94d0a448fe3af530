/** @file What a corruption's settings may be, where they come from JSON and no type guards them; their ranges are the functions' own. */
import { EmosllmError } from "@emosllm/interfaces";
import type { Setting } from "../setting.ts";
import type { CorruptionName, CorruptionSettings } from "./corrupt.ts";

/** A setting that must be given. */
interface Needed extends Setting {
  readonly needed: true;
}
type Settings<T> = { readonly [K in keyof T]-?: undefined extends T[K] ? Setting : Needed };

const number: Setting = { expected: "a finite number", accepts: Number.isFinite };
const word: Setting = { expected: "a name", accepts: (value) => typeof value === "string" };
const point: Setting = {
  expected: "three numbers of metres",
  accepts: (value) => Array.isArray(value) && value.length === 3 && value.every(Number.isFinite),
};
const paths: Setting = {
  expected: "a list of paths",
  accepts: (value) => Array.isArray(value) && value.every((path) => typeof path === "string"),
};
const needed = (setting: Setting): Needed => ({ ...setting, needed: true });

const SETTINGS: { readonly [K in CorruptionName]: Settings<CorruptionSettings[K]> } = {
  noise: { snr: needed(number), kind: needed(word), files: paths, voices: number },
  room: {
    size: needed(point),
    source: needed(point),
    microphone: needed(point),
    rt60: number,
    absorption: number,
  },
  clipping: { dB: needed(number) },
  band: { low: number, high: number, transition: number },
  telephone: { law: word },
  adpcm: { bits: number },
  codec: { name: needed(word), kbps: needed(number) },
  packetLoss: { rate: needed(number), burst: number, packet: number, concealment: word },
  gain: { dB: needed(number) },
  speed: { factor: needed(number) },
  tempo: { factor: needed(number) },
  pitch: { semitones: needed(number) },
};

/** Throws EmosllmError `usage` for a setting that is missing, unknown, or of another kind than the corruption takes. */
export function assertCorruptionSettings(name: CorruptionName, settings: Readonly<Record<string, unknown>>): void {
  const known: Readonly<Record<string, Setting | Needed>> = SETTINGS[name];
  for (const key of Object.keys(settings))
    if (key !== "type" && !Object.hasOwn(known, key))
      throw new EmosllmError(
        "usage",
        `corruption '${name}' has no setting ${key}; it has: ${Object.keys(known).join(", ")}`,
      );
  for (const [key, setting] of Object.entries(known)) {
    const value = settings[key];
    if (value === undefined ? !("needed" in setting) : setting.accepts(value)) continue;
    throw new EmosllmError(
      "usage",
      `corruption '${name}': ${key} is ${JSON.stringify(value)}, expected ${setting.expected}`,
    );
  }
}
