/** @file How sure a model may sound, and from when on it answers: temperature and abstention threshold, chosen on the validation part. */
import type { BundleManifest } from "@emosllm/interfaces";
import type { Scorer } from "@emosllm/model";
import { abstentionThreshold, fitTemperature, labelProbabilities } from "@emosllm/prompts";
import type { HostTensor } from "@emosllm/runtime";
import type { TrainConfig } from "./config.ts";
import type { RunData } from "./data.ts";
import type { OnTrainEvent } from "./events.ts";
import { type Answered, evaluateSamples } from "./evaluate.ts";
import type { RunModel } from "./model.ts";

/** For the bundle's manifest, and what it does on the rows it was chosen on. */
export interface FittedScoring {
  readonly manifest: BundleManifest["scoring"];
  readonly validation: {
    readonly rows: number;
    /** Mean negative log-likelihood in nats, before and after the temperature. */
    readonly lossBefore: number;
    readonly lossAfter: number;
    /** Share of rows that are answered, and how many of those are right. */
    readonly coverage: number;
    readonly accuracy: number | null;
  };
}

/** Fewer validation rows say nothing about either. */
const FEWEST = 10;

/** Asks the validation part with these values; undefined where the config wants neither, or there is no validation part. A target that cannot be reached, or has too little to be chosen on, is told and left: the model then never abstains. */
export async function fitScoring(
  config: TrainConfig,
  { validation }: Pick<RunData, "validation">,
  model: RunModel,
  scorer: Scorer,
  parameters: Readonly<Record<string, HostTensor>>,
  onEvent: OnTrainEvent,
): Promise<FittedScoring | undefined> {
  const { fit_temperature: fit, target_selective_accuracy: target } = config;
  const labelled = validation.filter((s) => s.label !== undefined);
  if (target !== null && labelled.length < FEWEST)
    onEvent({
      type: "note",
      text: `target_selective_accuracy needs at least ${FEWEST} validation utterances, there are ${labelled.length}: the model never abstains`,
    });
  if ((!fit && target === null) || labelled.length < FEWEST) return undefined;
  const scoring = { ...model, scorer, parameters, batchSize: config.per_device_eval_batch_size };
  const { answers } = await evaluateSamples(labelled, scoring, { audio: true, transcript: true });
  const fitted = scoringOf(answers, model.manifest, { fit, target });
  onEvent({ type: "scoring", ...fitted.manifest, ...fitted.validation });
  if (target !== null && fitted.manifest.abstain_below === null)
    onEvent({
      type: "note",
      text: `target_selective_accuracy ${target}: no confidence reaches it on ${fitted.validation.rows} validation utterances (of all answers ${(100 * (fitted.validation.accuracy ?? 0)).toFixed(1)} % are right): the model never abstains`,
    });
  return fitted;
}

/** The same from answers at the manifest's own temperature. */
export function scoringOf(
  answers: readonly Answered[],
  { labels, scoring }: RunModel["manifest"],
  { fit, target }: { readonly fit: boolean; readonly target: number | null },
): FittedScoring {
  const names = labels.words.map((w) => w.label);
  // Scores up to what all labels share; a probability that rounded to 0 is as small as a double can say.
  const scores = answers.map(({ probabilities }) =>
    names.map((name) => scoring.temperature * Math.log(Math.max(probabilities[name] ?? 0, Number.MIN_VALUE))),
  );
  const truth = answers.map(({ sample }) => names.indexOf(sample.label as string));
  const fitted = fitTemperature(scores, truth);
  const temperature = fit ? fitted.temperature : scoring.temperature;
  const rows = scores.map((row) => labelProbabilities(row, { temperature }));
  const confidence = rows.map((p) => Math.max(...p));
  const correct = rows.map((p, i) => p.indexOf(Math.max(...p)) === truth[i]);
  const right = correct.filter(Boolean).length;
  const found = target === null ? undefined : abstentionThreshold(confidence, correct, { target });
  const chosen = found && Number.isFinite(found.threshold) ? found : undefined;
  return {
    manifest: { ...scoring, temperature, abstain_below: chosen?.threshold ?? scoring.abstain_below },
    validation: {
      rows: rows.length,
      lossBefore: fitted.lossBefore,
      lossAfter: fit ? fitted.lossAfter : fitted.lossBefore,
      coverage: chosen?.coverage ?? 1,
      accuracy: chosen ? chosen.accuracy : right / rows.length,
    },
  };
}
