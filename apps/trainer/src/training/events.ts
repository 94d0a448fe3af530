/** @file What a run says while it goes; who draws it is another file's matter. */

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
    }
  | { readonly type: "evaluate"; readonly name: string; readonly ua: number; readonly wa: number };
export type OnTrainEvent = (event: TrainEvent) => void;
