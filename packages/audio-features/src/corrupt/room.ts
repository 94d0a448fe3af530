/**
 * @file Reverberation of a box-shaped room by the image-source method: J. B. Allen and D. A. Berkley, "Image method for
 * efficiently simulating small-room acoustics" (1979), with images between samples by windowed sincs (P. M. Peterson 1986).
 */
import { EmosllmError } from "@emosllm/interfaces";
import { convolve } from "./convolve.ts";

type Point = readonly [x: number, y: number, z: number];

/** A room, a speaker and a microphone in it. */
export interface Room {
  /** Length, width, height in m. */
  readonly size: Point;
  readonly source: Point;
  readonly microphone: Point;
  /** Seconds until the energy has fallen by 60 dB (a line through -5 and -25 dB, ISO 3382-2's T20); the walls absorb what that takes. */
  readonly rt60?: number;
  /** Share of the energy that every wall absorbs, instead of `rt60`. */
  readonly absorption?: number;
}

/** m/s at 20 degrees Celsius. */
const SPEED_OF_SOUND = 343;
/** Half length of the fractional delay's window, in samples. */
const SINC_HALF = 40;

function assertRoom({ size, source, microphone, rt60, absorption }: Room): void {
  for (const [name, point] of Object.entries({ source, microphone }))
    point.forEach((value, axis) => {
      if (!(value > 0 && value < size[axis]!))
        throw new EmosllmError(
          "usage",
          `the ${name} at [${point.join(", ")}] m is not within the room of [${size.join(", ")}] m`,
        );
    });
  if ((rt60 === undefined) === (absorption === undefined))
    throw new EmosllmError("usage", "a room needs either rt60 or absorption");
  if (rt60 !== undefined && !(rt60 >= 0.05 && rt60 <= 3))
    throw new EmosllmError("usage", `rt60 ${rt60} s is not between 0.05 and 3 s`);
  if (absorption !== undefined && !(absorption >= 0.02 && absorption <= 1))
    throw new EmosllmError("usage", `absorption ${absorption} is not between 0.02 and 1`);
}

const directDistance = ({ source, microphone }: Room): number =>
  Math.hypot(...source.map((v, i) => v - microphone[i]!));

/** Calls `visit` with distance (m) and number of reflections of every image within `reach`. */
function forEachImage(room: Room, reach: number, visit: (distance: number, bounces: number) => void): void {
  // Along one axis: offsets of the images, and how many walls the sound met. Parity picks the mirrored source.
  const [xs, ys, zs] = room.size.map((length, axis) => {
    const list: { offset: number; bounces: number }[] = [];
    const most = Math.ceil(reach / (2 * length)) + 1;
    for (let n = -most; n <= most; n++)
      for (const parity of [0, 1]) {
        const offset = (1 - 2 * parity) * room.source[axis]! + 2 * n * length - room.microphone[axis]!;
        if (Math.abs(offset) <= reach) list.push({ offset, bounces: Math.abs(n - parity) + Math.abs(n) });
      }
    return list;
  });
  for (const x of xs!)
    for (const y of ys!) {
      const planar = x.offset ** 2 + y.offset ** 2;
      if (planar > reach * reach) continue;
      for (const z of zs!) {
        const distance = Math.sqrt(planar + z.offset ** 2);
        if (distance <= reach) visit(distance, x.bounces + y.bounces + z.bounces);
      }
    }
}

const BIN_SECONDS = 0.001;

/** Seconds that energy `perBin` takes to fall from -5 to -25 dB, times three. */
function decayTime(perBin: Float64Array): number {
  const left = perBin.slice();
  for (let i = left.length - 2; i >= 0; i--) left[i]! += left[i + 1]!;
  const at = (level: number): number => {
    const bin = left.findIndex((energy) => energy < left[0]! * 10 ** (level / 10));
    return bin < 0 ? Infinity : bin * BIN_SECONDS;
  };
  return 3 * (at(-25) - at(-5));
}

/**
 * Pressure reflection factor of the walls that gives the room its `rt60`, by bisection on the images' own energy: formulas for
 * diffuse sound (Sabine, Eyring) are wrong by half for the regular reflections of an empty box.
 * @throws EmosllmError `usage` when even bare or perfectly absorbing walls do not.
 */
export function wallReflection(room: Room): number {
  assertRoom(room);
  if (room.rt60 === undefined) return Math.sqrt(1 - room.absorption!);
  const { rt60 } = room;
  const bins = Math.ceil((rt60 + directDistance(room) / SPEED_OF_SOUND) / BIN_SECONDS) + 1;
  const most = 512;
  const energy = new Float64Array(bins * most);
  forEachImage(room, (bins - 1) * BIN_SECONDS * SPEED_OF_SOUND, (distance, bounces) => {
    energy[Math.floor(distance / SPEED_OF_SOUND / BIN_SECONDS) * most + Math.min(most - 1, bounces)]! += distance ** -2;
  });
  const timeFor = (beta: number): number =>
    decayTime(
      Float64Array.from({ length: bins }, (_, bin) => {
        let sum = 0;
        for (let b = most - 1; b >= 0; b--) sum = sum * beta * beta + energy[bin * most + b]!;
        return sum;
      }),
    );
  let [low, high] = [0.01, 0.995];
  if (timeFor(low) > rt60 || timeFor(high) < rt60)
    throw new EmosllmError("usage", `a room of [${room.size.join(", ")}] m cannot have an rt60 of ${rt60} s`);
  for (let i = 0; i < 20; i++) {
    const middle = (low + high) / 2;
    if (timeFor(middle) < rt60) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The impulse response from source to microphone, until it has fallen by 60 dB (at most `seconds` with `absorption`, 1 s);
 * the pressure of an image at distance d is 1 / (4 pi d). Sample 0 is the moment of emission.
 */
export function roomResponse(room: Room, sampleRate: number, seconds = 1): Float64Array {
  const beta = wallReflection(room);
  const reach = (room.rt60 ?? seconds) * SPEED_OF_SOUND + directDistance(room);
  const out = new Float64Array(Math.ceil((reach / SPEED_OF_SOUND) * sampleRate) + SINC_HALF + 1);
  forEachImage(room, reach, (distance, bounces) =>
    addDelayed(out, (distance / SPEED_OF_SOUND) * sampleRate, beta ** bounces / (4 * Math.PI * distance)),
  );
  return out;
}

const taper = (of: (x: number) => number): Float64Array =>
  Float64Array.from({ length: 2 * SINC_HALF + 1 }, (_, i) => 0.5 * of((Math.PI * (i - SINC_HALF)) / (SINC_HALF + 1)));
const TAPER_COS = taper(Math.cos);
const TAPER_SIN = taper(Math.sin);

/** Adds an impulse between samples: a sinc under a Hann window. */
function addDelayed(out: Float64Array, delay: number, amplitude: number): void {
  const centre = Math.round(delay);
  const fraction = delay - centre;
  if (Math.abs(fraction) < 1e-9) {
    if (centre < out.length) out[centre]! += amplitude;
    return;
  }
  // sin(pi (k - fraction)) only changes its sign from sample to sample; the window's cosine is that of a difference.
  let scale = ((amplitude * Math.sin(-Math.PI * fraction)) / Math.PI) * (SINC_HALF % 2 === 0 ? 1 : -1);
  const cos = Math.cos((Math.PI * fraction) / (SINC_HALF + 1));
  const sin = Math.sin((Math.PI * fraction) / (SINC_HALF + 1));
  const last = Math.min(2 * SINC_HALF, out.length - 1 - centre + SINC_HALF);
  for (let i = 0; i <= last; i++) {
    const at = centre - SINC_HALF + i;
    if (at >= 0) out[at]! += (scale / (i - SINC_HALF - fraction)) * (0.5 + TAPER_COS[i]! * cos + TAPER_SIN[i]! * sin);
    scale = -scale;
  }
}

/** Responses of the rooms last asked for: a corpus is heard in a few rooms, and a response takes longer than a clip. */
const responses = new Map<string, Float64Array>();
const MOST_ROOMS = 8;

function knownResponse(room: Room, sampleRate: number): Float64Array {
  const key = JSON.stringify([room.size, room.source, room.microphone, room.rt60, room.absorption, sampleRate]);
  const response = responses.get(key) ?? roomResponse(room, sampleRate);
  responses.delete(key);
  responses.set(key, response);
  const oldest = responses.keys().next().value;
  if (responses.size > MOST_ROOMS && oldest !== undefined) responses.delete(oldest);
  return response;
}

/**
 * `samples` as heard in `room`, as long as before, without the delay of the direct sound (so that times stay true) and with
 * the direct sound at its own level.
 */
export function reverberate(samples: Float32Array, sampleRate: number, room: Room): Float32Array {
  const response = knownResponse(room, sampleRate);
  const direct = directDistance(room);
  const gain = 4 * Math.PI * direct;
  const delay = Math.round((direct / SPEED_OF_SOUND) * sampleRate);
  const wet = convolve(
    samples,
    response.map((value) => value * gain),
  );
  return wet.slice(delay, delay + samples.length);
}
