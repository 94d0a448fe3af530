/** @file Everything a corpus can have wrong, by stable code. Loaders and the auditor report; they never hide. */
import type { CorpusProblem } from "@emosllm/interfaces";

/** Every problem code with what it means. Codes that {@link isLeak} holds for make `emosllm corpus audit` exit with 1. */
export const PROBLEM_CODES = {
  annotation_invalid: "a line of an annotation file that cannot be parsed",
  apple_double: "an AppleDouble file (._name) was skipped",
  audio_corrupt: "the sound file's header is not what its name says, or the data is cut short",
  audio_duplicate: "two clips hold the same or nearly the same sound",
  audio_empty: "a file of no bytes, or a header without samples",
  audio_known_broken: "a clip that is known to be broken in the published release was left out",
  audio_missing: "an annotated turn has no sound file",
  audio_multichannel: "more than one channel; one is chosen or they are mixed, never glued",
  audio_silent: "a clip without any sound (under -80 dB of full scale)",
  audio_too_long: "longer than the limit",
  audio_too_short: "shorter than the limit",
  audio_wrong_cut: "a clip that is known to be cut wrongly in the published release",
  clip_unlabelled: "a sound file that no annotation names",
  column_missing: "a table lacks a column",
  count_mismatch: "a count differs from the published one",
  dialogue_overlap: "dialogues shared between parts, as the protocol's authors have it",
  duplicate_id: "an id a second time; the first is kept",
  encoding_c1: "Windows-1252 punctuation stored as Unicode control characters; put right",
  encoding_cp1252: "bytes that are not UTF-8, read as Windows-1252",
  encoding_gb18030: "bytes that are not UTF-8, read as GB 18030",
  encoding_utf16: "a UTF-16 file",
  label_conflict: "two places of the release give different labels; the first is kept",
  fold_missing: "a fold without utterances in one of its parts",
  label_missing: "a part of a split lacks a label that others have",
  label_no_agreement: "the raters did not agree (xxx, X)",
  label_unknown: "a label the corpus does not define",
  line_endings_crlf: "a file with CRLF line ends",
  session_mismatch: "a turn is filed under a session that its id does not name",
  speaker_overlap: "speakers shared between parts, as the protocol's authors have it",
  speaker_corrected: "the metadata names another speaker than the turn itself; put right",
  speaker_unknown: "no true speaker can be told",
  text_missing: "a turn without transcript",
  turn_without_label: "a transcript of a turn that was never rated",
  value_invalid: "a field is no number, or lies outside its scale; left out",
  audio_leak: "the same or nearly the same sound on two sides of a split",
  dialogue_leak: "one dialogue on two sides of a split",
  speaker_leak: "one speaker on two sides of a split",
  utterance_leak: "one utterance on two sides of a split",
  validation_is_test: "validation uses test utterances",
} as const;

/** One of {@link PROBLEM_CODES}. */
export type ProblemCode = keyof typeof PROBLEM_CODES;

/** Where problems go. */
export type OnProblem = (problem: CorpusProblem) => void;

/** A corpus problem of a known code. */
export interface Problem extends CorpusProblem {
  code: ProblemCode;
}

/** True for problems that make a result on the split worthless. */
export const isLeak = (problem: { code: string }): boolean =>
  problem.code.endsWith("_leak") || problem.code === "validation_is_test";

/** Makes a problem; the message starts with `path:line:` where they are known. */
export function problem(
  code: ProblemCode,
  message: string,
  place: { id?: string | undefined; path?: string | undefined; line?: number | undefined } = {},
): Problem {
  const where = place.path === undefined ? "" : `${place.path}${place.line === undefined ? "" : `:${place.line}`}: `;
  const made: Problem = { code, message: where + message };
  if (place.id !== undefined) made.id = place.id;
  if (place.path !== undefined) made.path = place.path;
  if (place.line !== undefined) made.line = place.line;
  return made;
}

/** Shows a value from a file in a message: quoted, control characters escaped, cut at 60 characters. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
}
