/** @file What a corruption's settings may be, where they come from JSON and no type guards them; their ranges are the functions' own. */
import { EmosllmError } from "@emosllm/interfaces";
import type { CorruptionName, CorruptionSettings } from "./corrupt.ts";

/** Words for what is accepted, and the test of it. */
type Shape = readonly [expected: string, accepts: (value: unknown) => boolean];
type Shapes<T> = { readonly [K in keyof T]-?: undefined extends T[K] ? Shape : readonly [...Shape, "needed"] };

const number: Shape = ["a finite number", (value) => Number.isFinite(value)];
const word: Shape = ["a name", (value) => typeof value === "string"];
const point: Shape = [
  "three numbers of metres",
  (value) => Array.isArray(value) && value.length === 3 && value.every((v) => Number.isFinite(v)),
];
const paths: Shape = [
  "a list of paths",
  (value) => Array.isArray(value) && value.every((path) => typeof path === "string"),
];
const needed = (shape: Shape): readonly [...Shape, "needed"] => [...shape, "needed"];

const SHAPES: { readonly [K in CorruptionName]: Shapes<CorruptionSettings[K]> } = {
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
  const shapes: Readonly<Record<string, Shape | readonly [...Shape, "needed"]>> = SHAPES[name];
  for (const key of Object.keys(settings))
    if (key !== "type" && !Object.hasOwn(shapes, key))
      throw new EmosllmError(
        "usage",
        `corruption '${name}' has no setting ${key}; it has: ${Object.keys(shapes).join(", ")}`,
      );
  for (const [key, [expected, accepts, need]] of Object.entries(shapes)) {
    const value = settings[key];
    if (value === undefined ? need === undefined : accepts(value)) continue;
    throw new EmosllmError("usage", `corruption '${name}': ${key} is ${JSON.stringify(value)}, expected ${expected}`);
  }
}
