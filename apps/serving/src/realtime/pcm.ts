/** @file Samples from frames of bytes whose borders need not be those of samples. */
import { ServiceError } from "../errors.ts";
import type { StartMessage } from "./messages.ts";

/** A reader that keeps the odd bytes for the next frame. Throws `invalid_request` for a float that is not finite. */
export function pcmReader(encoding: StartMessage["encoding"]): (bytes: Uint8Array) => Float32Array {
  const size = encoding === "pcm_s16le" ? 2 : 4;
  let odd = new Uint8Array(0);
  return (bytes) => {
    const whole = new Uint8Array(odd.length + bytes.length);
    whole.set(odd);
    whole.set(bytes, odd.length);
    const count = Math.floor(whole.length / size);
    odd = whole.slice(count * size);
    const view = new DataView(whole.buffer);
    const samples = Float32Array.from({ length: count }, (_, i) =>
      size === 2 ? view.getInt16(2 * i, true) / 32768 : view.getFloat32(4 * i, true),
    );
    if (size === 4 && samples.some((x) => !Number.isFinite(x)))
      throw new ServiceError("invalid_request", "A sample is not a finite number.");
    return samples;
  };
}
