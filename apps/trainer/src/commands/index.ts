/** @file The table of sub-commands. A command is one file that is loaded only when it is called, with a line in `_examples.ts`. */
import type { SubCommandsDef } from "citty";

export const commands: SubCommandsDef = {
  init: () => import("./init.ts").then((m) => m.default),
  validate: () => import("./validate.ts").then((m) => m.default),
  doctor: () => import("./doctor.ts").then((m) => m.default),
  corpus: () => import("./corpus.ts").then((m) => m.default),
  prompts: () => import("./prompts.ts").then((m) => m.default),
  features: () => import("./features.ts").then((m) => m.default),
  predict: () => import("./predict.ts").then((m) => m.default),
  serve: () => import("./serve.ts").then((m) => m.default),
  probe: () => import("./probe.ts").then((m) => m.default),
  train: () => import("./train.ts").then((m) => m.default),
  crossval: () => import("./crossval.ts").then((m) => m.default),
  ablate: () => import("./ablate.ts").then((m) => m.default),
  evaluate: () => import("./evaluate.ts").then((m) => m.default),
  compare: () => import("./compare.ts").then((m) => m.default),
  merge: () => import("./merge.ts").then((m) => m.default),
  export: () => import("./export.ts").then((m) => m.default),
  completion: () => import("./completion.ts").then((m) => m.default),
  metrics: () => import("./metrics.ts").then((m) => m.default),
};
