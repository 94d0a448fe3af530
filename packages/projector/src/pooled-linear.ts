/** @file The least there is: the mean of each group of frames (or of all of them), then one linear layer. */
import { type Dim, cast, div, maximum, minimum, mul, range, reshape, scalar, sub, sum } from "@emosllm/graph";
import type { ProjectorSizes } from "./config.ts";
import { COUNT_OR_NULL, type Fields } from "./fields.ts";
import { declarations, groupCount, grouped, layersOver, zeroOutside } from "./layers.ts";
import type { Projector } from "./projector.ts";

/** `projector_config.json` of pooled-linear. */
export interface PooledLinearConfig extends ProjectorSizes {
  readonly type: "pooled_linear";
  /** Frames whose mean is one vector; null: one vector for the whole clip. */
  readonly frames_per_vector: number | null;
}

export const POOLED_LINEAR_FIELDS: Fields<PooledLinearConfig> = { frames_per_vector: [null, COUNT_OR_NULL] };

export function buildPooledLinear(config: PooledLinearConfig): Projector {
  const { input_size, output_size, frames_per_vector: size } = config;
  const declared = declarations();
  declared.dense("linear", output_size, input_size);
  return {
    ...declared,
    inputSize: input_size,
    outputSize: output_size,
    vectors: (frames) => (size === null ? 1 : groupCount(frames, size)),
    build: (frames, lengths, parameter) => {
      const { linear } = layersOver(declared, parameter);
      const rows = frames.shape[0] as Dim;
      const inside = zeroOutside(frames, lengths);
      if (size === null) {
        const mean = div(sum(inside, 1), reshape(cast(lengths, "f32"), [rows, 1]));
        return reshape(linear("linear", mean), [rows, 1, output_size]);
      }
      const groups = grouped(inside, size);
      const n = groups.shape[1] as Dim;
      const whole = scalar(size, "i64");
      const left = sub(reshape(lengths, [rows, 1]), reshape(mul(range(n), whole), [1, n]));
      // A group beyond a row's end counts one frame of zeros, so that it is 0 and not 0 / 0.
      const counts = cast(minimum(maximum(left, scalar(1, "i64")), whole), "f32");
      return linear("linear", div(sum(groups, 2), reshape(counts, [rows, n, 1])));
    },
  };
}
