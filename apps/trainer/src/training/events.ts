/** @file What a run says while it goes; who draws it is another file's matter. */

import type { BundleManifest } from "@emosllm/interfaces";
import type { FittedScoring } from "./scoring.ts";
import type { LogEntry } from "./trainer-state.ts";
import type { BadAudio } from "./frames.ts";

/** One event of a run. */
export type TrainEvent =
  | { readonly type: "data"; readonly what: string; readonly done: number; readonly total: number }
  | {
      readonly type: "split";
      readonly train: number;
      readonly validation: number;
      readonly test: number;
      readonly sha256: string;
    }
  | {
      readonly type: "step";
      readonly step: number;
      readonly total: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradNorm: number;
      readonly utterancesPerSecond: number;
      readonly secondsLeft: number;
      /** Bytes that the process holds. */
      readonly memory: number;
    }
  | { readonly type: "stage"; readonly name: string; readonly step: number; readonly steps: number }
  | {
      readonly type: "validation";
      readonly step: number;
      readonly figures: Readonly<Record<string, number>>;
      readonly best: number | null;
    }
  | { readonly type: "early stop"; readonly step: number; readonly evaluations: number }
  | { readonly type: "checkpoint"; readonly step: number; readonly folder: string }
  /** The run goes on from a checkpoint. */
  | { readonly type: "resume"; readonly step: number; readonly folder: string }
  /** Nothing was done: an earlier run with this config finished. */
  | { readonly type: "finished before"; readonly folder: string; readonly steps: number }
  | { readonly type: "log"; readonly entry: LogEntry }
  | { readonly type: "labels outside"; readonly scheme: string; readonly counts: Readonly<Record<string, number>> }
  | { readonly type: "bad audio"; readonly bad: readonly BadAudio[] }
  | { readonly type: "note"; readonly text: string }
  | ({ readonly type: "scoring" } & BundleManifest["scoring"] & FittedScoring["validation"])
  | { readonly type: "evaluate"; readonly name: string; readonly ua: number; readonly wa: number };
export type OnTrainEvent = (event: TrainEvent) => void;
