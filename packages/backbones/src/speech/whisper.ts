/** @file Whisper's encoder (Radford et al. 2023; transformers' modeling_whisper): a padded log-mel spectrogram, two convolutions, norms first. */
import { type Dim, type Tensor, add, conv1d, dimAdd, dimMultiply, mul, pad, reshape, transpose } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { activationNamed } from "../activations.ts";
import { configReader } from "../config-reader.ts";
import { type SpeechEncoderConfig, type SpeechStates, frameCounter } from "./encoder.ts";
import { logMel } from "./log-mel.ts";
import type { EncoderBuilder } from "./speech-encoder.ts";
import { type EncoderScope, type LayerNames, encoderLayer, norm } from "./transformer.ts";
import { sampleMask } from "./waveform.ts";

const NAMES: LayerNames = {
  attention: "self_attn",
  attentionNorm: "self_attn_layer_norm",
  feedForward: ["fc1", "fc2"],
  feedForwardNorm: "final_layer_norm",
};

export const whisper: EncoderBuilder = ({ raw, preprocessor, tensor, linear }) => {
  const { count, name } = configReader(raw);
  const sound = configReader(preprocessor, "preprocessor_config.json");
  const sampleRate = sound.count("sampling_rate", 16_000);
  const melHop = sound.count("hop_length", 160);
  const longest = sound.count("n_samples", sound.count("chunk_length", 30) * sampleRate);
  const mels = count("num_mel_bins", 80);
  const positions = count("max_source_positions", 1500);
  if (sound.count("feature_size", mels) !== mels || longest !== 2 * melHop * positions)
    throw new EmosllmError(
      "checkpoint_invalid",
      `preprocessor_config.json: feature_size ${String(preprocessor["feature_size"])}, n_samples ${longest} and hop_length ${melHop} do not fit config.json's num_mel_bins ${mels} and max_source_positions ${positions}`,
    );
  const config: SpeechEncoderConfig = {
    modelType: "whisper",
    hiddenSize: count("d_model", 384),
    layers: count("encoder_layers", 4),
    sampleRate,
    hop: 2 * melHop,
    shortest: 1,
    frameWidth: 2 * melHop,
    groupChannels: 0,
    longest,
    padding: true,
  };
  const heads = count("encoder_attention_heads", 6);
  const activation = activationNamed(name("activation_function", "gelu"), "activation_function");
  const gelu = activationNamed("gelu", "");
  const melConfig = { mels, window: sound.count("n_fft", 400), hop: melHop, sampleRate };

  const encode = (features: Tensor, own: typeof linear): SpeechStates => {
    const rows = features.shape[0] as Dim;
    const { hiddenSize } = config;
    const convolved = (x: Tensor, at: string, stride: number): Tensor =>
      gelu(
        add(
          conv1d(x, tensor(`encoder.${at}.weight`), { stride, padding: 1 }),
          reshape(tensor(`encoder.${at}.bias`), [hiddenSize, 1]),
        ),
      );
    const frames = transpose(convolved(convolved(features, "conv1", 1), "conv2", 2));
    const scope: EncoderScope = { tensor, linear: own, rows, frames: positions, heads, epsilon: 1e-5, activation };
    let h = reshape(add(frames, tensor("encoder.embed_positions.weight")), [dimMultiply(rows, positions), hiddenSize]);
    const hidden = [h];
    for (let i = 0; i < config.layers; i++) {
      h = encoderLayer(scope, { at: `encoder.layers.${i}`, names: NAMES, normFirst: true, bias: () => [] }, h);
      hidden.push(h);
    }
    const last = norm(scope, "encoder.layer_norm", h);
    // transformers gives the normed state as the last of `hidden_states` here.
    hidden[config.layers] = last;
    const apart = (x: Tensor): Tensor => reshape(x, [rows, positions, hiddenSize]);
    return { hidden: hidden.map(apart), last: apart(last) };
  };
  return {
    config,
    build: (waveform, lengths, own = linear) => {
      const silent = lengths ? mul(waveform, sampleMask(waveform, lengths)) : waveform;
      const [rows, samples] = waveform.shape as [Dim, Dim];
      const full = reshape(pad(silent, 1, 0, dimAdd(longest, dimMultiply(-1, samples))), [rows, longest]);
      return encode(logMel(full, melConfig), own);
    },
    prepare: async (samples) => ({ samples }),
    frameCounts: frameCounter(config, (length) => Math.ceil(Math.ceil(length / melHop) / 2)),
  };
};
