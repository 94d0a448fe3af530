/** @file The training run, from config to bundle: load, train, test, write. Read it from top to bottom. */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openLanguageModel } from "@emosllm/backbones";
import type { BundleManifest } from "@emosllm/interfaces";
import { type LoraBase, firstValues, loraAdapter, loraConfig, loraPlusRateFactor } from "@emosllm/lora";
import { type EmoSllmParts, fingerprint, layOutBatch, openScorer, saveBundle } from "@emosllm/model";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import {
  labelLexicon,
  labelWords,
  loadTokenizer,
  promptHash,
  promptLibrary,
  type PromptDefinition,
} from "@emosllm/prompts";
import { adamW, initialise, openEmoSllmTrainer, randomStream, schedule, shuffle } from "@emosllm/training";
import { writeWhole } from "../write-whole.ts";
import { modelCard } from "./card.ts";
import type { TrainConfig } from "./config.ts";
import { type Sample, loadRunData } from "./data.ts";
import { type Evaluation, type Inputs, type ScoringContext, evaluateSamples, sampleRow } from "./evaluate.ts";
import type { OnTrainEvent } from "./events.ts";

/** What a run gives. */
export interface RunResult {
  readonly bundle: string;
  readonly test: Evaluation;
  readonly audioOnly: Evaluation;
  readonly textOnly: Evaluation;
  readonly majorityWa: number;
  readonly trainSeconds: number;
}

const BOTH: Inputs = { audio: true, transcript: true };

/** Trains as the config says. Throws EmosllmError; what an earlier run left in `output_dir` stays until the new result is whole. */
export async function runTraining(config: TrainConfig, onEvent: OnTrainEvent): Promise<RunResult> {
  const data = await loadRunData(config, (p) => onEvent({ type: "data", what: "clips turned into frames", ...p }));
  onEvent({
    type: "split",
    train: data.train.length,
    validation: data.validation.length,
    test: data.test.length,
    sha256: data.split.sha256,
  });

  // ---- the model
  const languageModel = await openLanguageModel(config.model_name_or_path);
  const tokenizer = await loadTokenizer(config.model_name_or_path);
  const [prompt] = (await promptLibrary({ name: config.prompt })) as [PromptDefinition];
  const lexicon = await labelLexicon();
  const audioSize = data.frontEnd.mean.length;
  const projectorConfig = qpMapperConfig(audioSize, languageModel.config.hiddenSize, config.projector);
  const adapterConfig = loraConfig({
    peft_type: "LORA",
    ...config.lora,
    base_model_name_or_path: config.model_name_or_path,
  });
  const base: LoraBase = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const adapter = loraAdapter(adapterConfig, base);
  const parts: EmoSllmParts = { languageModel, projector: qpMapper(projectorConfig), adapter, audioSize };
  const words = labelWords(data.scheme.labels, lexicon).map((w) => ({ label: w.label, word: w.word }));
  const manifest: Pick<BundleManifest, "labels" | "scoring"> = {
    labels: { scheme: data.scheme.name, words },
    scoring: { reduction: "sum", temperature: 1, abstain_below: null },
  };

  // ---- the loop
  const { per_device_train_batch_size: batchSize, gradient_accumulation_steps: accumulation } = config;
  const stepsPerEpoch = Math.ceil(data.train.length / (batchSize * accumulation));
  const total = config.max_steps > 0 ? config.max_steps : Math.ceil(stepsPerEpoch * config.num_train_epochs);
  const warmupSteps = Math.ceil(total * config.warmup_ratio);
  const rateOptions = {
    type: config.lr_scheduler_type,
    learningRate: config.learning_rate,
    warmupSteps,
    totalSteps: total,
  };
  const trainer = await openEmoSllmTrainer({
    parts,
    optimiser: adamW(schedule(rateOptions), {
      weightDecay: config.weight_decay,
      maxGradNorm: config.max_grad_norm,
      decays: isMatrix(parts),
      rateFactor: loraPlusRateFactor(adapter.parameters, config.loraplus_lr_ratio),
    }),
  });
  initialise(trainer.parameters, parts, config.seed, await firstValues(adapter, base));
  const order = randomStream(config.seed, "order");
  const dropout = randomStream(config.seed, "transcript dropout");
  const context = { prompt, tokenizer, manifest };
  let queue: Sample[] = [];
  const take = (n: number): Sample[] => {
    while (queue.length < n) queue = [...queue, ...shuffle(data.train, order)];
    return queue.splice(0, n);
  };
  const start = performance.now();
  for (let step = 1; step <= total; step++) {
    let loss = 0;
    for (let micro = 0; micro < accumulation; micro++) {
      const rows = await Promise.all(
        take(batchSize).map(async (sample) => {
          const transcript = dropout.next() >= config.transcript_dropout;
          const row = await sampleRow(sample, context, { audio: true, transcript });
          return { ...row, answers: [row.answers[data.scheme.labels.indexOf(sample.label)] ?? []] };
        }),
      );
      const labels = rows.reduce((n, r) => n + (r.answers[0] as readonly number[]).length, 0);
      const batch = layOutBatch(rows, {
        queries: parts.projector.queries,
        audioSize,
        labelWeights: () => 1 / (labels * accumulation),
      });
      loss += (await trainer.accumulate(batch, micro === 0)).loss;
    }
    const { gradNorm } = await trainer.update();
    const seconds = (performance.now() - start) / 1000;
    onEvent({
      type: "step",
      step,
      total,
      loss,
      learningRate: learningRateAt(step - 1, rateOptions),
      gradNorm,
      utterancesPerSecond: (step * batchSize * accumulation) / seconds,
      secondsLeft: (seconds / step) * (total - step),
    });
  }
  const trainSeconds = (performance.now() - start) / 1000;

  // ---- test
  const scorer = openScorer(parts);
  const scoring: ScoringContext = {
    ...context,
    scorer,
    parameters: trainer.parameters.tensors,
    batchSize: config.per_device_eval_batch_size,
  };
  const measure = async (name: string, inputs: Inputs): Promise<Evaluation> => {
    const result = await evaluateSamples(data.test, scoring, inputs);
    onEvent({ type: "evaluate", name, ua: result.ua, wa: result.wa });
    return result;
  };
  const test = await measure("audio and words", BOTH);
  const audioOnly = await measure("audio alone", { audio: true, transcript: false });
  const textOnly = await measure("words alone", { audio: false, transcript: true });
  const majorityWa = majorityShare(data.train, data.test);
  await scorer.dispose();

  // ---- what stays
  const bundle = join(config.output_dir, "best");
  await mkdir(config.output_dir, { recursive: true });
  const metrics = {
    ua: test.ua,
    wa: test.wa,
    macro_f1: test.macroF1,
    majority_wa: majorityWa,
    audio_only_ua: audioOnly.ua,
    text_only_ua: textOnly.ua,
  };
  await saveBundle(bundle, {
    manifest: {
      base_model: {
        name_or_path: "backbone",
        revision: null,
        model_type: languageModel.config.modelType,
        fingerprint: await fingerprint(languageModel),
      },
      front_end: data.frontEnd,
      ...manifest,
      prompt: prompt as unknown as Record<string, unknown>,
      prompt_sha256: promptHash(prompt),
      metrics,
    },
    parameters: trainer.parameters.tensors,
    projectorConfig,
    loraConfig: adapterConfig,
    card: modelCard(config, metrics),
    backboneFolder: config.model_name_or_path,
  });
  await writeWhole(
    join(config.output_dir, "predictions.jsonl"),
    test.answers
      .map(({ sample: { utterance, label }, prediction, probabilities }) =>
        JSON.stringify({
          id: utterance.id,
          label,
          prediction,
          probabilities,
          audio: { ...utterance.audio, path: resolve(utterance.audio.path) },
          speaker: utterance.speaker,
          gender: utterance.gender,
          session: utterance.session,
        }),
      )
      .join("\n") + "\n",
  );
  await writeWhole(join(config.output_dir, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  await trainer.dispose();
  return { bundle, test, audioOnly, textOnly, majorityWa, trainSeconds };
}

/** Decay is for matrices: biases, norms and the queries keep their size. */
const isMatrix =
  ({ projector, adapter }: EmoSllmParts) =>
  (name: string): boolean =>
    ((adapter?.parameters[name] ?? projector.parameters[name.slice("projector.".length)])?.length ?? 0) > 1;

/** The rate that the schedule in the update program gives, for the log. */
function learningRateAt(
  step: number,
  o: { type: TrainConfig["lr_scheduler_type"]; learningRate: number; warmupSteps: number; totalSteps: number },
): number {
  if (step < o.warmupSteps) return (step / o.warmupSteps) * o.learningRate;
  const progress = Math.min(1, (step - o.warmupSteps) / Math.max(1, o.totalSteps - o.warmupSteps));
  const shape = o.type.startsWith("cosine")
    ? (1 + Math.cos(Math.PI * progress)) / 2
    : o.type === "linear"
      ? 1 - progress
      : 1;
  return shape * o.learningRate;
}

/** Accuracy of always answering with the training part's most frequent label. */
function majorityShare(train: readonly Sample[], test: readonly Sample[]): number {
  const counts = new Map<string, number>();
  for (const s of train) counts.set(s.label, (counts.get(s.label) ?? 0) + 1);
  const top = [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
  return test.filter((s) => s.label === top).length / test.length;
}
