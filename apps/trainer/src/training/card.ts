/** @file The model card of a bundle: Hugging Face's front matter, then what a reader should know. */
import { emotionScheme } from "@emosllm/datasets";
import type { TrainConfig } from "./config.ts";

/** Text of README.md. */
export function modelCard(config: TrainConfig, metrics: Readonly<Record<string, number>>): string {
  const rows = Object.entries(metrics).map(([name, value]) => `| ${name} | ${(100 * value).toFixed(1)} % |`);
  return `---
library_name: emosllm
pipeline_tag: audio-classification
base_model: ${config.model_name_or_path}
tags:
- speech-emotion-recognition
- lora
---

# Speech emotion model

EmoSLLM (arXiv 2508.14130): frames, a ${config.projector.type} projector, a language model with LoRA of rank ${config.lora.r}.
Trained on \`${config.corpus.split(":")[0]}\` (${emotionScheme(config.scheme).name}, ${config.protocol}, fold ${config.fold}), seed ${config.seed}.

| test figure | |
|---|---|
${rows.join("\n")}

It tells how an utterance sounds to raters of that corpus, not what a person feels. It is no medical device.
`;
}
