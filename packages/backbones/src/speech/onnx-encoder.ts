/** @file Encoders exported to ONNX for transformers.js (`onnx/` folder), run by it, behind {@link FrameEncoder}. */
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { readJsonObject } from "../json-file.ts";
import type { EncodedFrames, FrameEncoder } from "./frame-encoder.ts";
import { type FrameFormOptions, checkClips, frameCount, frameForm } from "./frame-form.ts";
import { describedEncoder } from "./speech-encoder.ts";
import { planWindows } from "./windows.ts";

/** transformers.js' names of what the weights are stored as; each is a file of its own (`model_quantized.onnx` for q8). */
export const ONNX_DTYPES = ["fp32", "fp16", "q8", "int8", "uint8", "q4", "q4f16", "bnb4"] as const;
/** One of {@link ONNX_DTYPES}. */
export type OnnxDtype = (typeof ONNX_DTYPES)[number];

/** Options of {@link openOnnxEncoder}. */
export interface OnnxEncoderOptions extends FrameFormOptions {
  /** Default fp32. */
  readonly dtype?: OnnxDtype | undefined;
}

/**
 * Opens a folder with config.json, preprocessor_config.json and `onnx/model.onnx` (Whisper: `onnx/encoder_model.onnx`). Other layers than the
 * last need an export with `hidden_states.N` among its outputs. Clips run one at a time; a group norm is taken over each window of a long
 * clip, since the file cannot be fed the whole clip's. Throws EmosllmError `not_supported` when the package `@huggingface/transformers` is not
 * there, `checkpoint_*`, `model_unsupported`, `config_invalid`.
 */
export async function openOnnxEncoder(
  folder: string,
  { dtype = "fp32", ...wanted }: OnnxEncoderOptions = {},
): Promise<FrameEncoder> {
  const js = await import("@huggingface/transformers").catch((cause: unknown) => {
    throw new EmosllmError("not_supported", "ONNX encoders need the package @huggingface/transformers: install it", {
      cause,
    });
  });
  const needs = "an encoder's folder needs config.json and preprocessor_config.json";
  const raw = await readJsonObject(join(folder, "config.json"), needs);
  const { config, prepare } = describedEncoder(
    raw,
    await readJsonObject(join(folder, "preprocessor_config.json"), needs),
  );
  const { form, sizes } = frameForm(config, wanted);
  const { layers, hiddenSize, features } = form;
  const isWhisper = config.longest !== undefined;
  const local = { local_files_only: true } as const;
  const file = isWhisper ? "encoder_model" : "model";
  const open = (): Promise<InstanceType<typeof js.PreTrainedModel>> =>
    (isWhisper ? js.PreTrainedModel : js.AutoModel).from_pretrained(folder, { ...local, dtype, model_file_name: file });
  const model = await quietly(js.env, js.LogLevel.ERROR, open).catch((cause: unknown) => {
    const message = `${folder}: onnx/${file} (${dtype}) cannot be opened: ${(cause as Error).message}`;
    throw new EmosllmError("checkpoint_invalid", message, { cause });
  });
  const extractor = isWhisper ? await js.AutoFeatureExtractor.from_pretrained(folder, local) : undefined;
  const takesMask = Object.values(model.sessions).some((s) =>
    (s as { inputNames: readonly string[] }).inputNames.includes("attention_mask"),
  );

  type Inputs = Record<string, InstanceType<typeof js.Tensor>>;
  const inputsOf = async (samples: Float32Array): Promise<Inputs> => {
    if (extractor) return (await extractor(samples)) as Inputs;
    const shape = [1, samples.length];
    const mask = new js.Tensor("int64", new BigInt64Array(samples.length).fill(1n), shape);
    return {
      input_values: new js.Tensor("float32", samples, shape),
      ...(takesMask ? { attention_mask: mask } : {}),
    };
  };

  const encodeOne = async (clip: Float32Array): Promise<EncodedFrames> => {
    const frames = frameCount(clip.length, config);
    const { samples } = await prepare(clip, false);
    const data = new Float32Array(frames * features);
    for (const { start, end, first, from, to } of planWindows(samples.length, frames, sizes)) {
      const states = (await model(await inputsOf(samples.slice(start, end)))) as Inputs;
      layers.forEach((layer, l) => {
        const name = layer === config.layers ? "last_hidden_state" : `hidden_states.${layer}`;
        const state = states[name];
        if (!state)
          throw new EmosllmError(
            "config_invalid",
            `layer ${layer}: this ONNX export has no output '${name}', only ${Object.keys(states).join(", ")}`,
          );
        const values = state.data as Float32Array;
        for (let t = from; t < to; t++) {
          const at = (t - first) * hiddenSize;
          data.set(values.subarray(at, at + hiddenSize), t * features + l * hiddenSize);
        }
      });
    }
    return { data, frames, features };
  };

  return {
    ...form,
    async encode(clips) {
      checkClips(clips, form);
      const out: EncodedFrames[] = [];
      for (const clip of clips) out.push(await encodeOne(clip));
      return out;
    },
    dispose: async () => void (await model.dispose()),
  };
}

/** A library must not print: transformers.js warns of what it takes an encoder alone for. */
async function quietly<T>(env: { logLevel: number }, level: number, work: () => Promise<T>): Promise<T> {
  const before = env.logLevel;
  env.logLevel = level;
  try {
    return await work();
  } finally {
    env.logLevel = before;
  }
}
