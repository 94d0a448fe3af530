/** @file Bundles for tests: the repository's own tiny backbone, its real tokenizer and prompt, a random projector and adapter. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav } from "@emosllm/audio-features";
import { openLanguageModel } from "@emosllm/backbones";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { fingerprint, saveBundle, trainedShapes } from "@emosllm/model";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import { promptLibrary } from "@emosllm/prompts";
import { f32 } from "@emosllm/runtime";

const BACKBONE = join(import.meta.dirname, "../../../tools/tiny-backbone/model");
const MEL_BINS = 24;
const AUDIO_SIZE = MEL_BINS + 6;

/** Numbers from -1 to 1 that depend on the seed alone. */
export function randoms(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 31 - 1;
  };
}

/** Writes a bundle of random weights into a new folder. Another seed answers otherwise. */
export async function randomBundle(seed = 1): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), "emosllm-serving-")), "bundle");
  const languageModel = await openLanguageModel(BACKBONE);
  const projectorConfig = qpMapperConfig(AUDIO_SIZE, languageModel.config.hiddenSize, {
    hidden_size: 16,
    num_heads: 2,
    num_queries: 4,
  });
  const adapterConfig = loraConfig({ peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["q_proj", "v_proj"] });
  const adapter = loraAdapter(adapterConfig, {
    linearPaths: languageModel.linearPaths,
    tensors: languageModel.checkpoint.tensors,
  });
  const parts = { languageModel, projector: qpMapper(projectorConfig), adapter, audioSize: AUDIO_SIZE };
  const random = randoms(seed);
  const parameters = Object.fromEntries(
    Object.entries(trainedShapes(parts)).map(([name, shape]) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.3 * random());
      return [name, f32(data, shape)];
    }),
  );
  const [prompt] = await promptLibrary({ name: "emotion-question-first" });
  await saveBundle(folder, {
    manifest: {
      base_model: {
        name_or_path: "backbone",
        revision: null,
        model_type: "llama",
        fingerprint: await fingerprint(languageModel),
      },
      front_end: {
        kind: "prosody",
        sample_rate: 16_000,
        settings: { mel_bins: MEL_BINS, hop_seconds: 0.02 },
        mean: Array.from({ length: AUDIO_SIZE }, () => 0),
        std: Array.from({ length: AUDIO_SIZE }, () => 1),
      },
      labels: {
        scheme: "iemocap-4",
        words: ["angry", "happy", "sad", "neutral"].map((label) => ({ label, word: label })),
      },
      prompt: prompt as unknown as Record<string, unknown>,
      prompt_sha256: "0",
      scoring: { reduction: "sum", temperature: 1, abstain_below: null },
    },
    parameters,
    projectorConfig,
    loraConfig: adapterConfig,
    card: "# For tests\n",
    backboneFolder: BACKBONE,
  });
  return folder;
}

/** Removes what {@link randomBundle} wrote. */
export const removeBundle = (folder: string): Promise<void> => rm(join(folder, ".."), { recursive: true, force: true });

/** A hum with syllables, as samples at 16 kHz: another seed has another pitch. */
export function humming(seconds: number, seed = 1): Float32Array {
  const random = randoms(seed);
  const pitch = 140 + 60 * random();
  return Float32Array.from({ length: Math.round(16_000 * seconds) }, (_, i) => {
    const t = i / 16_000;
    const syllable = Math.max(0, Math.sin(2 * Math.PI * 3 * t));
    return 0.2 * syllable * Math.sin(2 * Math.PI * pitch * t * (1 + 0.05 * Math.sin(t))) + 0.002 * random();
  });
}

/** The same as a WAV file. */
export const hum = (seconds: number, seed = 1): Uint8Array =>
  encodeWav({ samples: [humming(seconds, seed)], sampleRate: 16_000 });
