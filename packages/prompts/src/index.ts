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
