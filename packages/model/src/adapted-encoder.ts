/**
 * @file A speech encoder with an adapter of its own: trained along with the rest, so that its frames cannot be kept. It stands in front of
 * the projector as a part of it: what comes in is sound, a sample a frame, and everything that handles projectors handles both.
 */
import { type SpeechEncoder, type TensorTable, resolveLayers } from "@emosllm/backbones";
import {
  type Dim,
  type Tensor,
  add,
  concat,
  constant,
  dimEvaluate,
  div,
  input,
  reshape,
  scalar,
  sub,
} from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type { LoraAdapter, LoraBase } from "@emosllm/lora";
import type { Initializer, Projector } from "@emosllm/projector";

/** The encoder adapter's parameters among the projector's: this, then PEFT's own names. No projector has a module of this name. */
export const ENCODER_PREFIX = "speech_encoder.";

/** What {@link overEncoder} puts in front. */
export interface AdaptedEncoder {
  readonly encoder: SpeechEncoder;
  readonly adapter: LoraAdapter;
  /** Hidden states that make up a frame. */
  readonly layers: readonly number[];
  /** Of each column over the training part, as the encoder is without its adapter. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** From the convolutions to the layers; a linear layer like others to an adapter, though it is never packed. */
const PROJECTION = "feature_projection.projection";

/** An encoder as an adapter's base: modules by their path in transformers' model class, as PEFT's files have them. */
export function encoderBase(encoder: SpeechEncoder): LoraBase {
  const { tensors } = encoder.checkpoint;
  const [path = ""] = encoder.linearPaths;
  const own = [...tensors.keys()].find((name) => name.endsWith(`${path}.weight`)) ?? "";
  const prefix = own.slice(0, own.length - `${path}.weight`.length);
  const below = [...tensors].flatMap(([name, t]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), t] as const] : [],
  );
  const tensorsBelow = new Map(below);
  const first = tensorsBelow.has(`${PROJECTION}.weight`) ? [PROJECTION] : [];
  return { linearPaths: [...first, ...encoder.linearPaths], tensors: tensorsBelow };
}

/** What a program with an adapted encoder finds by name: both models' weights. Throws RangeError where one name means two tensors. */
export function weightsWith(encoder: SpeechEncoder, languageModel: TensorTable): TensorTable {
  const base = encoderBase(encoder).tensors;
  for (const [name, t] of base)
    if (languageModel.has(name) && languageModel.get(name) !== t)
      throw new RangeError(`The speech encoder and the language model both have a tensor '${name}'.`);
  return new Map([...encoder.weights, ...base, ...languageModel]);
}

const kaiming = (inputs: number): Initializer => ({ kind: "uniform", bound: 1 / Math.sqrt(inputs) });

/**
 * A projector of sound: samples `[rows, samples, 1]` at the encoder's rate. Throws EmosllmError `not_supported` for encoders that take no
 * rows of different lengths (`feat_extract_norm` "group") or no clip of any length (Whisper).
 */
export function overEncoder(projector: Projector, { encoder, adapter, layers, mean, std }: AdaptedEncoder): Projector {
  const { config } = encoder;
  if (!config.padding || config.longest !== undefined)
    throw new EmosllmError(
      "not_supported",
      `an adapter on a ${config.modelType} with ${config.padding ? "clips of one length" : "feat_extract_norm 'group'"} is not supported; wav2vec 2.0, HuBERT and WavLM with feat_extract_norm 'layer' are`,
    );
  if (adapter.config.lora_dropout > 0)
    throw new EmosllmError("not_supported", "lora_dropout on the speech encoder is not supported; leave it at 0");
  const chosen = resolveLayers(layers, config.layers);
  const width = chosen.length * config.hiddenSize;
  if (projector.inputSize !== width || mean.length !== width || std.length !== width)
    throw new RangeError(
      `frames of ${width} numbers for a projector of ${projector.inputSize}, ${mean.length} means and ${std.length} deviations`,
    );
  // As the graph's own convolutions count them.
  const probe = encoder.build(input("probe", ["rows", "frames"]), input("lengths", ["rows"], "i64"));
  const frameDim = probe.last.shape[1] as Dim;
  const framesOf = (samples: Dim): Dim => {
    if (typeof samples === "number") return dimEvaluate(frameDim, { frames: samples });
    if (samples === "frames") return frameDim;
    throw new RangeError(`internal: samples are counted in 'frames', not '${samples}'`);
  };
  const named = (name: string): string => ENCODER_PREFIX + name;
  const initializers = Object.entries(adapter.parameters).map(([name, shape]): [string, Initializer] => [
    named(name),
    name.includes(".lora_A.") ? kaiming(shape[1] ?? 1) : { kind: "zeros" },
  ]);
  return {
    parameters: {
      ...projector.parameters,
      ...Object.fromEntries(Object.entries(adapter.parameters).map(([name, shape]) => [named(name), shape])),
    },
    initializers: { ...projector.initializers, ...Object.fromEntries(initializers) },
    inputSize: 1,
    outputSize: projector.outputSize,
    vectors: (samples) => projector.vectors(framesOf(samples)),
    build: (sound, lengths, parameter) => {
      const [rows, samples] = sound.shape as [Dim, Dim];
      const linear = adapter.apply(encoder.linear, (name, shape) => parameter(named(name), shape));
      const { hidden, last } = encoder.build(reshape(sound, [rows, samples]), lengths, linear);
      const states = chosen.map((layer) => (layer === hidden.length - 1 ? last : (hidden[layer] as Tensor)));
      const joined = states.length === 1 ? (states[0] as Tensor) : concat(states, 2);
      const row = (values: readonly number[]): Tensor => constant(Float32Array.from(values), [values.length]);
      const frames = div(sub(joined, row(mean)), row(std));
      const i64 = (n: number): Tensor => scalar(n, "i64");
      const counts = add(div(sub(lengths, i64(config.shortest)), i64(config.hop)), i64(1));
      return projector.build(frames, counts, parameter);
    },
  };
}
