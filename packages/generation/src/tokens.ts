/** @file What a prompt is made of. */

/** A token: its id, or a vector of the model's width that stands in its place (projected audio). */
export type Token = number | Float32Array;

/** A prompt: ids, and `[n, hiddenSize]` vectors that stand in place of tokens. */
export type PromptPart = { readonly ids: readonly number[] } | { readonly vectors: Float32Array };

/** A prompt's tokens one by one. Throws RangeError for vectors of another width. */
export function tokensOf(parts: readonly PromptPart[], hiddenSize: number): Token[] {
  return parts.flatMap((part, at): Token[] => {
    if ("ids" in part) return [...part.ids];
    if (part.vectors.length % hiddenSize !== 0)
      throw new RangeError(
        `part ${at} of a prompt has ${part.vectors.length} numbers, no multiple of the model's width ${hiddenSize}`,
      );
    return Array.from({ length: part.vectors.length / hiddenSize }, (_, i) =>
      part.vectors.subarray(i * hiddenSize, (i + 1) * hiddenSize),
    );
  });
}
