export { iemocap, type IemocapOptions } from "./corpora/iemocap.ts";
export { type CorpusFiles, type FileEntry, openCorpusFiles } from "./corpus-files.ts";
export { collect, type Loader, type LoaderOptions } from "./loader.ts";
export { isLeak, type OnProblem, type Problem, PROBLEM_CODES, type ProblemCode } from "./problems.ts";
export {
  type AllowedOverlap,
  applyProtocol,
  EMOBOX_RAVDESS_ACTORS,
  foldCount,
  type GroupKey,
  type LeaveOneOutOptions,
  leaveOneSessionOut,
  leaveOneSpeakerOut,
  type Protocol,
  PROTOCOLS,
  type SplitOptions,
  splitProtocol,
  type TestRule,
  type ValidationRule,
} from "./protocols.ts";
export { seededRandom, shuffled } from "./random.ts";
export {
  applyScheme,
  betweenSchemes,
  COMMON_NAMES,
  emotionScheme,
  mapLabel,
  mapSoftLabel,
  SCHEMES,
} from "./schemes.ts";
export {
  type Overlap,
  type Part,
  type PartCard,
  PARTS,
  type Shared,
  type Split,
  type SplitCard,
  splitHash,
} from "./split.ts";
