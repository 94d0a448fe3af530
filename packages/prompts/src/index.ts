export {
  compileChatTemplate,
  DEFAULT_DATE,
  type ChatMessage,
  type ChatOptions,
  type ChatTemplate,
} from "./chat-template.ts";
export {
  ANSWER_STYLES,
  definePrompt,
  LABEL_STYLES,
  PROMPT_TASKS,
  promptHash,
  SLOTS,
  type AnswerStyle,
  type LabelStyle,
  type PromptDefinition,
  type PromptInput,
  type PromptMessage,
  type PromptTask,
  type Slot,
} from "./definition.ts";
export {
  renderConversation,
  type ConversationMessage,
  type ConversationPart,
  type ConversationPiece,
} from "./conversation.ts";
export { loadPrompts, parsePrompts, type PromptFileProblem } from "./prompt-file.ts";
export { renderPrompt, type RenderedPrompt } from "./render.ts";
export type { AddedToken, TextPiece } from "./sections.ts";
export {
  answersOf,
  optionLetter,
  type ContextTurn,
  type LabelOption,
  type PromptExample,
  type SlotValues,
} from "./slots.ts";
export { createTokenizer, type Tokenizer, type TokenizerFiles } from "./tokenizer.ts";
export { loadTokenizer } from "./tokenizer-folder.ts";
export {
  labelOrders,
  labelWords,
  type LabelEntry,
  type LabelForms,
  type LabelLexicon,
  type LabelWord,
  type LabelWordOptions,
  type WordForm,
} from "./label-words.ts";
export {
  drawPrompt,
  labelLexicon,
  promptLibrary,
  type DrawOptions,
  type LibraryFilter,
  type PromptDraw,
} from "./library.ts";
export { randomOf, shuffle } from "./random.ts";
export { abstentionThreshold, type AbstentionThreshold } from "./abstention.ts";
export { contentFreeValues, fitTemperature, priorCorrection, type TemperatureFit } from "./calibration.ts";
export { promptConfigurations, type ConfigurationSpace, type PromptConfiguration } from "./configurations.ts";
export { wilsonInterval } from "./intervals.ts";
export {
  labelProbabilities,
  labelScores,
  logSumExp,
  SCORING_RULES,
  sharedFirstTokens,
  type AnswerLogLikelihoods,
  type Calibration,
  type Pooling,
  type ScoringRule,
} from "./scoring.ts";
export {
  SEARCH_SPLITS,
  searchPrompts,
  type SearchConfiguration,
  type SearchExample,
  type SearchLogEntry,
  type SearchOptions,
  type SearchResult,
  type SearchScore,
} from "./search.ts";
export {
  averageRecall,
  promptSensitivity,
  type FactorSensitivity,
  type SensitivityRun,
  type SensitivitySummary,
} from "./sensitivity.ts";
export {
  commonPrefixLength,
  planSharedPrefix,
  type PlanOptions,
  type PlannedBatch,
  type PrefixPlan,
  type PrefixRow,
} from "./shared-prefix.ts";
export {
  editDistance,
  simulateTranscriptErrors,
  type SimulatedTranscripts,
  type TranscriptErrorOptions,
} from "./transcript-errors.ts";
export {
  conditionName,
  MODALITIES,
  modalityReliance,
  PROBE_CONDITIONS,
  probeInputs,
  type Modality,
  type ModalityReliance,
  type ProbeCondition,
  type ProbeInput,
  type ProbeKind,
  type ProbeUtterance,
} from "./probe.ts";
