export { trainBpe, type Bpe } from "./bpe.ts";
export { trainingExamples, type TrainingExample } from "./examples.ts";
export { CONFIG, RECIPE, VOCABULARY_SIZE, type Recipe } from "./recipe.ts";
export { CONTROL_TOKENS, tokenizerConfig, tokenizerJson } from "./tokenizer-files.ts";
export { labelVocabulary, vocabularyText, wholeWords } from "./vocabulary-text.ts";
