/** @file The documented text normaliser: what does not count as a transcription error. */

/**
 * Makes two spellings of the same words equal, in this order: Unicode NFKC; lower case (no locale); typographic apostrophes
 * become `'`; notes in `[...]`, `(...)` and `<...>` go; every character that is not a letter, combining mark, digit or apostrophe
 * becomes a space; apostrophes that do not stand between letters or digits go; runs of white space become one space.
 * Words, numerals and contractions are left as they are: "don't" stays one word, "twenty" is not "20".
 *
 * @example
 * normalizeTranscript("  Well, I DON’T  know… [laughs]") // "well i don't know"
 */
export function normalizeTranscript(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\u2018\u2019\u02bc\u2032`]/gu, "'")
    .replace(/\[[^\]]*\]|\([^)]*\)|<[^>]*>/gu, " ")
    .replace(/[^\p{L}\p{M}\p{N}']+/gu, " ")
    .replace(/(?<![\p{L}\p{N}\p{M}])'+|'+(?![\p{L}\p{N}])/gu, " ")
    .replace(/\s+/gu, " ")
    .trim();
}
