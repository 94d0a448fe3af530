/** @file A bundle fetched from a folder of the page's server, ready to judge samples in this tab. */
import { prosodyFrames } from "@emosllm/audio-features";
import { languageModel, parseModelConfig } from "@emosllm/backbones";
import { type TensorInMemory, safetensorsInMemory, widenedInMemory } from "@emosllm/checkpoints";
import type { BundleManifest } from "@emosllm/interfaces";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { PROJECTOR_PREFIX, answerProbabilities, normalisedFrames, openScorer } from "@emosllm/model";
import { type ProjectorConfig, makeProjector } from "@emosllm/projector";
import { type PromptDefinition, answersOf, createTokenizer, renderPrompt } from "@emosllm/prompts";
import { type HostTensor, f32 } from "@emosllm/runtime";
import { type DeviceChoice, chooseDevice, readsHalf, setUpWeb } from "@emosllm/runtime/web";

/** A model in this tab. */
export interface PageModel {
  /** Hz */
  readonly sampleRate: number;
  /** What it runs on here, and why. */
  readonly device: string;
  /** Mono samples -> a probability for each label. */
  score(samples: Float32Array): Promise<Readonly<Record<string, number>>>;
}

/** Opens the bundle at `address` (ends with `/`), which carries its language model and reads prosody. */
export async function openPageModel(
  address: string,
  wasmFolder: string,
  choice: DeviceChoice = "auto",
): Promise<PageModel> {
  setUpWeb({ wasmFolder });
  const { device, why } = await chooseDevice(choice);
  const get = async (file: string): Promise<Response> => {
    const answer = await fetch(address + file);
    if (!answer.ok) throw new Error(`${file}: the server answered ${answer.status}`);
    return answer;
  };
  const json = async (file: string) => (await get(file)).json();
  const tensors = async (file: string): Promise<Map<string, TensorInMemory>> =>
    safetensorsInMemory(new Uint8Array(await (await get(file)).arrayBuffer()), file);

  const manifest = (await json("emosllm.json")) as BundleManifest;
  const end = manifest.front_end;
  if (end.kind !== "prosody" || manifest.base_model.name_or_path !== "backbone")
    throw new Error("This page takes bundles that carry their language model and read prosody, as npm start trains.");
  const weights = "backbone/model.safetensors";
  const half = await readsHalf(device);
  const [config, backbone, tokenizerFile, tokenizerConfig, projectorFile, projectorTensors, lora, adapterTensors] =
    await Promise.all([
      json("backbone/config.json"),
      tensors(weights).then((t) => (half ? t : widenedInMemory(t))),
      json("backbone/tokenizer.json"),
      json("backbone/tokenizer_config.json"),
      json("projector_config.json"),
      tensors("projector.safetensors"),
      json("adapter/adapter_config.json"),
      tensors("adapter/adapter_model.safetensors"),
    ]);
  const model = languageModel(parseModelConfig(config), {
    folder: "backbone",
    files: [weights],
    tensors: backbone,
    metadata: {},
  });
  const projector = makeProjector(projectorFile as ProjectorConfig);
  const adapter = loraAdapter(loraConfig(lora), { linearPaths: model.linearPaths, tensors: backbone });
  const tokenizer = createTokenizer({ tokenizer: tokenizerFile, config: tokenizerConfig, folder: "backbone" });
  const scorer = openScorer({ languageModel: model, projector, adapter, audioSize: projector.inputSize }, { device });
  const parameters: Record<string, HostTensor> = {};
  for (const [name, t] of projectorTensors) parameters[PROJECTOR_PREFIX + name] = f32(t.data as Float32Array, t.shape);
  for (const [name, t] of adapterTensors) parameters[name] = f32(t.data as Float32Array, t.shape);

  const words = manifest.labels.words.map((w) => w.word);
  const prompt = manifest.prompt as unknown as PromptDefinition;
  const { before, after } = renderPrompt(prompt, { audio: true, labels: words }, tokenizer);
  const answers = answersOf(prompt, words).map((w) => tokenizer.encodeAnswer(w));
  const settings = { melBins: Number(end.settings["mel_bins"]), hopSeconds: Number(end.settings["hop_seconds"]) };
  return {
    sampleRate: end.sample_rate,
    device: `${device === "cpu" ? "WebAssembly" : "WebGPU"} (${why})`,
    async score(samples) {
      const seconds = samples.length / end.sample_rate;
      if (seconds < 0.2) throw new Error(`${seconds.toFixed(2)} s of sound; at least 0.2 s are needed.`);
      const frames = normalisedFrames(prosodyFrames(samples, end.sample_rate, settings), end);
      const [row] = await scorer.score([{ before, after, answers, frames }], parameters);
      // As in Node.js: below a second the answer is drawn towards even odds.
      const reliability = Math.min(1, seconds);
      const p = answerProbabilities(row ?? [], manifest.scoring);
      return Object.fromEntries(
        manifest.labels.words.map(({ label }, i) => [
          label,
          reliability * (p[i] as number) + (1 - reliability) / words.length,
        ]),
      );
    },
  };
}
