/**
 * @file A stack of strided convolutions with GELU, then linear: the shape of Whisper's stem and of SLAM-LLM's `EncoderProjectorCov1d`.
 * Half a kernel of zeros on both sides, so that L frames give ceil(L / stride) after each layer; what lies beyond a row's end is
 * zero before every layer, as if the row were alone.
 */
import {
  type Dim,
  add,
  conv1d,
  dimAdd,
  dimFloorDivide,
  dimSubtract,
  div,
  gelu,
  scalar,
  sub,
  transpose,
  reshape,
} from "@emosllm/graph";
import type { ProjectorSizes } from "./config.ts";
import { COUNT, type Fields, ODD } from "./fields.ts";
import { declarations, kaiming, layersOver, zeroOutside } from "./layers.ts";
import type { Projector } from "./projector.ts";

/** `projector_config.json` of a convolution stack. */
export interface ConvConfig extends ProjectorSizes {
  readonly type: "conv";
  readonly num_layers: number;
  readonly kernel_size: number;
  readonly stride: number;
  readonly hidden_size: number;
}

/** Every eighth frame: at 50 frames a second about six vectors a second. */
export const CONV_FIELDS: Fields<ConvConfig> = {
  num_layers: [3, COUNT],
  kernel_size: [3, ODD],
  stride: [2, COUNT],
  hidden_size: [768, COUNT],
};

export function buildConv(config: ConvConfig): Projector {
  const { input_size, output_size, num_layers, kernel_size: kernel, stride, hidden_size: d } = config;
  const declared = declarations();
  for (let i = 0; i < num_layers; i++) {
    const input = i === 0 ? input_size : d;
    declared.declare(`conv.${i}.weight`, [d, input, kernel], kaiming(input * kernel));
    declared.declare(`conv.${i}.bias`, [d], kaiming(input * kernel));
  }
  declared.dense("output", output_size, d);
  const shorter = (frames: Dim): Dim => dimAdd(dimFloorDivide(dimSubtract(frames, 1), stride), 1);
  return {
    ...declared,
    inputSize: input_size,
    outputSize: output_size,
    vectors: (frames) => Array.from({ length: num_layers }).reduce<Dim>(shorter, frames),
    build: (frames, lengths, parameter) => {
      const { p, linear } = layersOver(declared, parameter);
      const one = scalar(1, "i64");
      let x = frames;
      let left = lengths;
      for (let i = 0; i < num_layers; i++) {
        const channels = transpose(zeroOutside(x, left), [0, 2, 1]);
        const y = conv1d(channels, p(`conv.${i}.weight`), { stride, padding: (kernel - 1) / 2 });
        x = gelu(transpose(add(y, reshape(p(`conv.${i}.bias`), [1, d, 1])), [0, 2, 1]));
        left = add(div(sub(left, one), scalar(stride, "i64")), one);
      }
      return linear("output", x);
    },
  };
}
