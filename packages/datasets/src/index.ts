export {
  applyProtocol,
  foldCount,
  type LeaveOneOutOptions,
  leaveOneSessionOut,
  leaveOneSpeakerOut,
  type SplitOptions,
} from "./apply-protocol.ts";
export {
  auditCorpus,
  type AuditedPart,
  type AuditOptions,
  type AuditReport,
  corpusHash,
  type DecodedSound,
  hasLeak,
} from "./audit.ts";
export { checkAudio, type CheckAudioOptions } from "./check-audio.ts";
export { type ClassWeightKind, type ClassWeightOptions, classWeights } from "./class-weights.ts";
export { readClipBytes, streamClipBytes } from "./clip-bytes.ts";
export { type ContextOptions, type ContextTurn, contextWindows, type UtteranceInContext } from "./context.ts";
export { cremad } from "./corpora/cremad.ts";
export { emodb } from "./corpora/emodb.ts";
export { esd } from "./corpora/esd.ts";
export { type IemocapTurn, parseIemocapEvaluation, parseIemocapTranscript } from "./corpora/iemocap-annotations.ts";
export { iemocap, type IemocapOptions } from "./corpora/iemocap.ts";
export {
  CORPORA,
  type CorpusEntry,
  corpusProtocol,
  type CorpusReference,
  openCorpus,
  parseCorpus,
} from "./corpora/index.ts";
export { meld, type MeldOptions, type MeldPart } from "./corpora/meld.ts";
export { mspPodcast, type MspPodcastOptions } from "./corpora/msp-podcast.ts";
export { ravdess, type RavdessOptions } from "./corpora/ravdess.ts";
export { savee } from "./corpora/savee.ts";
export { tess } from "./corpora/tess.ts";
export { type CorpusFiles, type FileEntry, openCorpusFiles } from "./corpus-files.ts";
export { EXPORT_FORMATS, exportCorpus, type ExportFormat, type ExportOptions, type ExportResult } from "./export.ts";
export { type Fingerprint, fingerprint, samePairs } from "./fingerprint.ts";
export { collect, type Loader, type LoaderOptions } from "./loader.ts";
export { emobox, emoboxFolds, type EmoBoxOptions } from "./manifests/emobox.ts";
export { parquet } from "./manifests/parquet.ts";
export {
  audioReference,
  EXTRA_COLUMNS,
  type ManifestRecord,
  parseAudioReference,
  RECORD_COLUMNS,
  type RecordColumn,
} from "./manifests/record.ts";
export { csv, jsonl, type ManifestOptions, msSwift } from "./manifests/text-manifests.ts";
export { type Probe, probeBytes, probeClip } from "./probe.ts";
export { isLeak, type OnProblem, type Problem, PROBLEM_CODES, type ProblemCode } from "./problems.ts";
export {
  type AllowedOverlap,
  EMOBOX_RAVDESS_ACTORS,
  type GroupKey,
  type Protocol,
  PROTOCOLS,
  splitProtocol,
  type TestRule,
  type ValidationRule,
} from "./protocols.ts";
export { compareWithPublished, PUBLISHED, type PublishedCounts } from "./published.ts";
export { seededRandom, shuffled } from "./random.ts";
export {
  balancedSampler,
  type BalancedSamplerOptions,
  curriculumSampler,
  type CurriculumSamplerOptions,
  raterDisagreement,
  type Sampler,
  type SamplerOptions,
  shuffleSampler,
} from "./samplers.ts";
export {
  applyScheme,
  betweenSchemes,
  COMMON_NAMES,
  emotionScheme,
  mapLabel,
  mapSoftLabel,
  SCHEMES,
  type SchemeChoice,
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
export type { SoundHeader } from "./wav.ts";
