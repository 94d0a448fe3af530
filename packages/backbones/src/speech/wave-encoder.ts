/** @file wav2vec 2.0 (Baevski et al. 2020), HuBERT (Hsu et al. 2021) and WavLM (Chen et al. 2022), after transformers' modeling files. */
import { type Dim, type Tensor, add, cast, dimMultiply, mul, reshape } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type SpeechEncoder, frameCounter } from "./encoder.ts";
import { gatedRelativeBias } from "./relative-bias.ts";
import type { EncoderBuilder } from "./speech-encoder.ts";
import { type EncoderScope, type LayerNames, encoderLayer, hideFrames, norm, realFrames } from "./transformer.ts";
import { type WaveConfig, parseWaveConfig } from "./wave-config.ts";
import { type NormedConvolution, centredClip, groupNormOf, scaledClip } from "./whole-clip.ts";
import { convolutions, positionalConvolution, sampleMask, unitVariance } from "./waveform.ts";

const NAMES: LayerNames = {
  attention: "attention",
  attentionNorm: "layer_norm",
  feedForward: ["feed_forward.intermediate_dense", "feed_forward.output_dense"],
  feedForwardNorm: "final_layer_norm",
};

/** Biases of the scores beside the mask, by `model_type`. */
type Bias = (scope: EncoderScope, config: WaveConfig) => (at: string, x: Tensor) => readonly Tensor[];

const waveEncoder =
  (bias: Bias): EncoderBuilder =>
  ({ raw, preprocessor, tensor, read, names, linear, packed }) => {
    const config = parseWaveConfig(raw, preprocessor);
    const build: SpeechEncoder["build"] = (waveform, lengths, own = linear, prepared) => {
      if (lengths && !config.padding)
        throw new EmosllmError(
          "usage",
          `${config.modelType} with feat_extract_norm 'group' takes no lengths: run clips of one length at a time`,
        );
      const mask = lengths && sampleMask(waveform, lengths);
      const cut = mask ? mul(waveform, mask) : waveform;
      const sound = config.normalise && !prepared ? unitVariance(waveform, mask) : cut;
      const features = convolutions(sound, config, { tensor, packed }, prepared?.groupNorm);
      const [rows, frames, channels] = features.shape as [Dim, Dim, number];
      const { heads, normEpsilon: epsilon, activation, hiddenSize } = config;
      const scope: EncoderScope = { tensor, linear: own, rows, frames, heads, epsilon, activation };
      const flat = reshape(features, [dimMultiply(rows, frames), channels]);
      const normed = config.projectionNorm ? norm(scope, "feature_projection.layer_norm", flat) : flat;
      const [projected] = own(["feature_projection.projection"], normed) as [Tensor];

      const real = lengths && realFrames(lengths, frames, { hop: config.hop, width: config.shortest });
      const apart = reshape(projected, [rows, frames, hiddenSize]);
      const start = real ? mul(apart, reshape(cast(real, "f32"), [rows, frames, 1])) : apart;
      const placed = add(start, positionalConvolution(start, config, tensor, names));
      const hides = real ? [hideFrames(real)] : [];
      const biasOf = bias(scope, config);

      let h = reshape(placed, [dimMultiply(rows, frames), hiddenSize]);
      if (!config.normFirst) h = norm(scope, "encoder.layer_norm", h);
      const hidden = [h];
      for (let i = 0; i < config.layers; i++) {
        h = encoderLayer(
          scope,
          {
            at: `encoder.layers.${i}`,
            names: NAMES,
            normFirst: config.normFirst,
            bias: (at, x) => [...biasOf(at, x), ...hides],
          },
          h,
        );
        hidden.push(h);
      }
      const last = config.normFirst ? norm(scope, "encoder.layer_norm", h) : h;
      const unflat = (x: Tensor): Tensor => reshape(x, [rows, frames, hiddenSize]);
      return { hidden: hidden.map(unflat), last: unflat(last) };
    };
    const firstNorm = once(async (): Promise<NormedConvolution> => {
      const at = "feature_extractor.conv_layers.0";
      const names = ["conv.weight", "layer_norm.weight", "layer_norm.bias"];
      const [weight, gain, shift] = await Promise.all(names.map((name) => read(`${at}.${name}`)));
      const { channels, kernel, stride } = config.convolutions[0] as WaveConfig["convolutions"][number];
      return { weight, gain, shift, channels, kernel, stride } as NormedConvolution;
    });
    const prepare: SpeechEncoder["prepare"] = async (samples, long) => {
      const scaled = config.normalise ? scaledClip(samples) : samples;
      if (config.featureNorm === "layer" || !long) return { samples: scaled };
      const centred = centredClip(scaled);
      return { samples: centred, groupNorm: groupNormOf(centred, await firstNorm()) };
    };
    return {
      config,
      build,
      prepare,
      frameCounts: frameCounter(config, (length) => Math.floor((length - config.shortest) / config.hop) + 1),
    };
  };

/** The same promise on every call. */
const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
};

export const wav2vec2: EncoderBuilder = waveEncoder(() => () => []);
export const hubert: EncoderBuilder = wav2vec2;
export const wavlm: EncoderBuilder = waveEncoder((scope, { buckets }) => {
  const bias = gatedRelativeBias(scope, "encoder.layers.0", buckets);
  return (at, x) => [bias(at, x)];
});
